#pragma once

#include <cstddef>

namespace butterdb {

/// Opens /dev/null for standard streams that are closed, before their numbers go to something else.
/// For the beginning of `main`.
void reserve_standard_streams() noexcept;

/// Raises the soft limit of open descriptors to the hard one and gives what is in force then.
std::size_t raise_descriptor_limit();

}  // namespace butterdb
