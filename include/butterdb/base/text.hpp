#pragma once

#include <butterdb/base/limits.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace butterdb {

/// ASCII only, whatever the locale.
constexpr char to_upper(char c) noexcept {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

/// True when `text` is `upper_case` in any mix of ASCII cases.
constexpr bool equals_ignoring_case(std::string_view text, std::string_view upper_case) noexcept {
    if (text.size() != upper_case.size()) {
        return false;
    }
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (to_upper(text[i]) != upper_case[i]) {
            return false;
        }
    }
    return true;
}

std::string to_lower(std::string_view text);

/// At most `bytes_max` bytes of what a client sent, control characters replaced by '.': fit for an
/// error text or a log line.
std::string printable(std::string_view bytes, std::size_t bytes_max = error_input_bytes_max);

/// Returns the size in bytes of the character at the front of `text` if a terminal displays it and
/// changes nothing else. Returns 0 for control characters (below U+0020, U+007F to U+009F), for
/// characters that change the direction of text (Unicode's property Bidi_Control), for bytes that
/// are not UTF-8, and for an empty text.
std::size_t terminal_safe_character(std::string_view text) noexcept;

/// Returns true if `text` consists of terminal-safe characters. O(size).
bool is_terminal_safe(std::string_view text) noexcept;

/// Returns `text` with `\xHH` in place of every byte of a character that is not terminal-safe: fit
/// for a terminal and for one line of a log.
std::string escape_for_terminal(std::string_view text);

}  // namespace butterdb
