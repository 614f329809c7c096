#pragma once

#include "options.hpp"
#include "report.hpp"
#include "result.hpp"

namespace butterdb::bench {

/// Carries out what the options ask for, writes it to `out` as it comes, and gives all of it.
/// Throws when a server is not there or cannot be started.
findings carry_out(const options& asked, report& out);

}  // namespace butterdb::bench
