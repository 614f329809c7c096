#pragma once

#include <string_view>

namespace butterdb {

/// True when `text` as a whole matches `pattern`: `*` any bytes, `?` one byte, `[abc]`, `[a-z]` and
/// `[^a]` one of some bytes, `\c` the byte c itself. Bounded: O(pattern * text), no recursion.
bool matches_glob(std::string_view pattern, std::string_view text) noexcept;

}  // namespace butterdb
