#pragma once

#include <chrono>

namespace butterdb {

/// A point in wall-clock time, milliseconds since 1970 UTC. Core never reads a clock: every call
/// that depends on the time takes `now` as an argument.
using time_point = std::chrono::sys_time<std::chrono::milliseconds>;

/// The same to the microsecond, for TIME.
using precise_time_point = std::chrono::sys_time<std::chrono::microseconds>;

/// The deadline of an entry that never expires.
inline constexpr time_point no_deadline = time_point::max();

}  // namespace butterdb
