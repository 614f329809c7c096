#pragma once

#include "load.hpp"

#include <optional>
#include <string>
#include <vector>

namespace butterdb::bench {

/// Who kept a test from going faster.
enum class bottleneck : std::uint8_t {
    unknown,  ///< the server's share of its processor cannot be read
    server,
    client,  ///< this tool: the server could have done more
    both,
    neither,  ///< each waited for the other, or for the rate
};

/// What a test's figures are worth.
struct verdict {
    bottleneck limit = bottleneck::unknown;
    bool kept_up = true;          ///< open loop: with the rate
    std::string latency_refused;  ///< why the latencies say nothing; empty: they can be trusted
    std::vector<std::string> warnings;  ///< for people
};

const char* name_of(bottleneck limit) noexcept;

/// A share of a processor from which on a side counts as busy.
inline constexpr double busy_share = 0.9;

verdict judge(const load& test, const measurement& measured);

/// The share of one processor that the server took; nothing when it cannot be read.
std::optional<double> server_share(const measurement& measured) noexcept;

}  // namespace butterdb::bench
