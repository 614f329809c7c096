#pragma once

#include <cstddef>

namespace butterdb::test {

/// Calls of operator new since the process began. Counted in executables that link
/// counting_new.cpp.
std::size_t allocations();

}  // namespace butterdb::test
