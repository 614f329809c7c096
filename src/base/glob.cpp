#include <butterdb/base/glob.hpp>

#include <algorithm>
#include <cstddef>

namespace butterdb {

namespace {

// Matches one byte with a class; `at` is behind its `[`, and ends on its last byte. One that does
// not end, ends with the pattern. Ranges compare bytes as signed, as Redis does.
bool matches_class(std::string_view pattern, std::size_t& at, char byte) noexcept {
    const bool inverted = at < pattern.size() && pattern[at] == '^';
    at += inverted ? 1U : 0U;
    bool found = false;
    for (;; ++at) {
        const auto left = pattern.size() - at;
        if (left == 0) {
            --at;
            break;
        }
        if (pattern[at] == '\\' && left >= 2) {
            found |= pattern[++at] == byte;
        } else if (pattern[at] == ']') {
            break;
        } else if (left >= 3 && pattern[at + 1] == '-') {
            const auto [low, high] = std::minmax(  // by value
                {static_cast<signed char>(pattern[at]), static_cast<signed char>(pattern[at + 2])});
            const auto value = static_cast<signed char>(byte);
            found |= low <= value && value <= high;
            at += 2;
        } else {
            found |= pattern[at] == byte;
        }
    }
    return found != inverted;
}

// Matches one byte with what stands at `at`, which is no `*`; on success `at` is behind it.
bool matches_one(std::string_view pattern, std::size_t& at, char byte) noexcept {
    bool matched = false;
    std::size_t last = at;
    switch (pattern[at]) {
        case '?':
            matched = true;
            break;
        case '[':
            matched = matches_class(pattern, ++last, byte);
            break;
        case '\\':
            last += at + 1 < pattern.size() ? 1U : 0U;
            [[fallthrough]];
        default:
            matched = pattern[last] == byte;
            break;
    }
    at = matched ? last + 1 : at;
    return matched;
}

}  // namespace

// Only the last `*` is ever tried again: what an earlier one took cannot matter any more.
bool matches_glob(std::string_view pattern, std::string_view text) noexcept {
    std::size_t p = 0;
    std::size_t behind_star = pattern.npos;
    std::size_t star_text = 0;
    for (std::size_t t = 0; t < text.size();) {
        if (p < pattern.size() && pattern[p] == '*') {
            behind_star = ++p;
            star_text = t;
            if (p == pattern.size()) {
                return true;  // it takes all that is left
            }
        } else if (p < pattern.size() && matches_one(pattern, p, text[t])) {
            ++t;
        } else if (behind_star != pattern.npos) {
            p = behind_star;
            t = ++star_text;
        } else {
            return false;
        }
    }
    return pattern.find_first_not_of('*', p) == pattern.npos;
}

}  // namespace butterdb
