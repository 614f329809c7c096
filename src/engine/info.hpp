#pragma once

#include <butterdb/engine/engine.hpp>

#include <span>
#include <string>
#include <string_view>

namespace butterdb {

/// The lines of INFO: `# Section`, then `name:value` lines, an empty line between sections, each
/// ended by LF. No section named: all of them; unknown sections are skipped, as Redis does.
std::string describe_server(
    std::span<const std::string_view> sections,
    const engine& db,
    const store& entries,
    const limits& lim,
    time_point now);

}  // namespace butterdb
