#pragma once

#include <cstdint>

namespace butterdb {

/// Bytes of memory that this process may use: the machine's, or its control group's limit where
/// that is lower.
std::uint64_t memory_of_machine();

/// 64 random bits from the operating system.
std::uint64_t random_seed();

}  // namespace butterdb
