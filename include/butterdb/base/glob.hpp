#pragma once

#include <butterdb/base/step_budget.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace butterdb {

/// A pattern as Redis has it: `*` matches any bytes, `?` one byte, `[abc]`, `[a-z]` and `[^a]` one
/// of some bytes, `\c` the byte c itself, any other byte itself.
///
/// All ways to match are followed together, one bit each ("shift-and", Baeza-Yates and Gonnet 1992,
/// with a loop for each `*`), so the time to match is O(text * (1 + tokens / 64)), whatever the
/// pattern. A token is all that matches one byte. The table takes 2 KiB for every 64 tokens.
class glob {
public:
    /// Copies what it needs of `pattern`. Draws the work from `steps`. Throws std::bad_alloc.
    glob(std::string_view pattern, step_budget& steps);

    /// Returns true if `text` as a whole matches. Draws on `steps` one step for every byte that is
    /// looked at and every 64 tokens, and at least one.
    bool matches(std::string_view text, step_budget& steps);

private:
    using word = std::uint64_t;
    static constexpr std::size_t word_bits = 64;

    struct reading {
        bool matched;
        std::size_t bytes_read;  // so many decide
    };

    reading read_in_one_word(std::string_view text) const noexcept;
    reading read(std::string_view text) noexcept;
    bool advance(char byte) noexcept;

    std::size_t tokens_;
    std::size_t words_;  // that hold a bit for each state
    bool has_star_ = false;
    std::vector<word> entered_;  // for each byte, the states that it leads to
    std::vector<word> kept_;     // the states that any byte leaves as they are: a `*` follows
    std::vector<word> reached_;  // state n: the first n tokens match what has been read
};

}  // namespace butterdb
