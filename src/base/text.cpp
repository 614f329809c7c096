#include <butterdb/base/text.hpp>

#include <algorithm>
#include <array>
#include <cstdint>

namespace butterdb {

namespace {

constexpr bool is_printable_ascii(char c) noexcept {
    return c >= ' ' && c <= '~';
}

struct code_point {
    std::uint32_t number;
    std::size_t bytes;  // 0: there is none
};

// Reads the character at the front of `text`, which is not empty. Source: RFC 3629, section 3: no
// longer form than needed, no surrogates, nothing over U+10FFFF.
code_point read_utf8(std::string_view text) noexcept {
    constexpr std::array<std::uint32_t, 5> least{0, 0, 0x80, 0x800, 0x10000};
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
    const auto first = byte(0);
    if (first < 0x80) {
        return {first, 1};
    }
    const std::size_t bytes = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc0 || first >= 0xf8 || text.size() < bytes) {
        return {0, 0};
    }
    std::uint32_t number = first & (0x7fU >> bytes);
    for (std::size_t at = 1; at < bytes; ++at) {
        if ((byte(at) & 0xc0U) != 0x80) {
            return {0, 0};
        }
        number = number << 6U | (byte(at) & 0x3fU);
    }
    const bool is_surrogate = number >= 0xd800 && number <= 0xdfff;
    const bool is_valid = number >= least[bytes] && number <= 0x10ffff && !is_surrogate;
    return {number, is_valid ? bytes : 0};
}

constexpr bool is_control(std::uint32_t number) noexcept {
    return number < 0x20 || (number >= 0x7f && number <= 0x9f);
}

// Unicode's property Bidi_Control.
constexpr bool changes_direction(std::uint32_t number) noexcept {
    return number == 0x061c || number == 0x200e || number == 0x200f ||
           (number >= 0x202a && number <= 0x202e) || (number >= 0x2066 && number <= 0x2069);
}

// Appends `\xHH`.
void append_escaped_byte(std::string& text, char byte) {
    constexpr std::string_view digits = "0123456789abcdef";
    const auto number = static_cast<unsigned char>(byte);
    text.append("\\x").append(1, digits[number >> 4U]).append(1, digits[number & 15U]);
}

}  // namespace

std::string to_lower(std::string_view text) {
    std::string lower(text);
    for (auto& c : lower) {
        if (c >= 'A' && c <= 'Z') {
            c = static_cast<char>(c - 'A' + 'a');
        }
    }
    return lower;
}

std::string printable(std::string_view bytes, std::size_t bytes_max) {
    std::string clean(bytes.substr(0, bytes_max));
    for (auto& c : clean) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f) {
            c = '.';
        }
    }
    return clean;
}

std::size_t terminal_safe_character(std::string_view text) noexcept {
    if (text.empty()) {
        return 0;
    }
    const auto [number, bytes] = read_utf8(text);
    return is_control(number) || changes_direction(number) ? 0 : bytes;
}

bool is_terminal_safe(std::string_view text) noexcept {
    // Most text is ASCII, and this loop is all that it costs.
    text.remove_prefix(static_cast<std::size_t>(
        std::ranges::find_if_not(text, is_printable_ascii) - text.begin()));
    while (const auto bytes = terminal_safe_character(text)) {
        text.remove_prefix(bytes);
    }
    return text.empty();
}

std::string escape_for_terminal(std::string_view text) {
    std::string safe;
    while (!text.empty()) {
        const auto bytes = terminal_safe_character(text);
        if (bytes == 0) {
            append_escaped_byte(safe, text.front());
        } else {
            safe.append(text.substr(0, bytes));
        }
        text.remove_prefix(std::max<std::size_t>(bytes, 1));
    }
    return safe;
}

}  // namespace butterdb
