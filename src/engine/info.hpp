#pragma once

#include <butterdb/engine/engine.hpp>

#include <span>
#include <string>
#include <string_view>

namespace butterdb {

/// The lines of INFO: `# Section`, then `name:value` lines, an empty line between sections, each
/// ended by CR LF, which some programs look for. No section named: all of them but commandstats;
/// unknown sections are skipped, as Redis does.
std::string describe_server(
    std::span<const std::string_view> sections, const engine& db, time_point now);

/// What happens at the ceiling, in Redis's words where it has one.
std::string_view policy_name(const store& entries) noexcept;

}  // namespace butterdb
