#pragma once

#include "result.hpp"

#include <string>

namespace butterdb::bench {

/// One self-contained page (no script, nothing from elsewhere), readable in light and dark: tables,
/// and as SVG those charts that there is data for: throughput and p99 over time, latency by
/// percentile, latency against rate, throughput against clients, the comparison.
std::string html_report(const findings& found);

}  // namespace butterdb::bench
