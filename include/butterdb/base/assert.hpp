#pragma once

#include <cstdio>
#include <cstdlib>

namespace butterdb {

/// Reports a broken invariant on stderr and aborts. Never returns.
[[noreturn]] inline void assertion_failed(const char* what, const char* file, int line) {
    std::fprintf(stderr, "%s:%d: broken invariant: %s\n", file, line, what);
    std::abort();
}

}  // namespace butterdb

/// Checks an invariant in every build. No input from outside may ever make it fail.
#define BUTTERDB_ASSERT(condition) \
    ((condition) ? void() : ::butterdb::assertion_failed(#condition, __FILE__, __LINE__))
