#pragma once

#include <cstddef>
#include <cstdint>

namespace butterdb {

/// Bytes of memory that this process may use: the machine's, or its control group's limit where
/// that is lower.
std::uint64_t memory_of_machine();

/// Raises the soft limit of open descriptors to the hard one and gives it back.
std::size_t raise_descriptor_limit();

/// 64 random bits from the operating system.
std::uint64_t random_seed();

}  // namespace butterdb
