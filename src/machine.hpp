#pragma once

#include <cstdint>

namespace butterdb {

/// Bytes of memory that this process may use: the machine's, or its control group's limit where
/// that is lower.
std::uint64_t memory_of_machine();

/// Bytes of memory that this process takes now; 0 when the system does not say.
std::uint64_t resident_bytes();

/// 64 random bits from the operating system.
std::uint64_t random_seed();

}  // namespace butterdb
