#include <butterdb/base/text.hpp>
#include <butterdb/protocol/quoting.hpp>

#include <algorithm>
#include <array>
#include <cstdint>

namespace butterdb {

namespace {

enum byte_class : std::uint8_t { ordinary, blank, control, quote };

constexpr auto byte_classes = [] {
    std::array<byte_class, 256> classes{};
    for (std::size_t byte = 0; byte < 0x20; ++byte) {
        classes[byte] = control;
    }
    classes[0x7f] = control;
    classes[' '] = blank;
    classes['\t'] = blank;
    classes['"'] = quote;
    classes['\''] = quote;
    return classes;
}();

constexpr byte_class class_of(char c) noexcept {
    return byte_classes[static_cast<unsigned char>(c)];
}

constexpr int hex_digit(char c) noexcept {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    const char upper = to_upper(c);
    return upper >= 'A' && upper <= 'F' ? upper - 'A' + 10 : -1;
}

constexpr char unescaped(char c) noexcept {
    switch (c) {
        case 'n':
            return '\n';
        case 'r':
            return '\r';
        case 't':
            return '\t';
        case 'b':
            return '\b';
        case 'a':
            return '\a';
        default:
            return c;
    }
}

// The letter behind the backslash when `c` has a short escape, else 0.
constexpr char escape_letter(char c) noexcept {
    switch (c) {
        case '"':
        case '\\':
            return c;
        case '\n':
            return 'n';
        case '\r':
            return 'r';
        case '\t':
            return 't';
        case '\a':
            return 'a';
        case '\b':
            return 'b';
        default:
            return 0;
    }
}

// Reads one line from `at` and writes decoded arguments to `to`, never overtaking it.
struct line_reader {
    const char* at;
    const char* end;
    char* to;

    void skip_blanks() noexcept {
        while (at != end && class_of(*at) == blank) {
            ++at;
        }
    }

    // Decodes one escape of a double-quoted string; `at` is behind the backslash.
    void read_escape() noexcept {
        if (*at == 'x' && end - at >= 3 && hex_digit(at[1]) >= 0 && hex_digit(at[2]) >= 0) {
            *to++ = static_cast<char>(hex_digit(at[1]) * 16 + hex_digit(at[2]));
            at += 3;
            return;
        }
        *to++ = unescaped(*at++);
    }

    // `at` is behind the opening quote. False when the string does not end, or does not end the
    // argument.
    bool read_quoted(char mark) noexcept {
        while (at != end) {
            const char c = *at++;
            if (c == mark) {
                return at == end || class_of(*at) == blank;
            }
            const bool escapes = c == '\\' && at != end && (mark == '"' || *at == '\'');
            if (escapes && mark == '"') {
                read_escape();
            } else {
                *to++ = escapes ? *at++ : c;
            }
        }
        return false;
    }

    // The first argument byte is at `at`; the whole argument is written behind `to`.
    line_fault read_argument() noexcept {
        const char* const run = at;
        while (at != end && class_of(*at) == ordinary) {
            ++at;
        }
        if (run != to) {
            std::copy(run, at, to);
        }
        to += at - run;
        if (at == end || class_of(*at) == blank) {
            return line_fault::none;
        }
        if (class_of(*at) == control) {
            return line_fault::control_byte;
        }
        return read_quoted(*at++) ? line_fault::none : line_fault::unbalanced_quotes;
    }
};

// The words with which a reply begins that is no value.
constexpr std::array<std::string_view, 9> reserved_words{
    "OK", "NOT_FOUND", "DELETED", "NOT_STORED", "+PONG", "+OK", "LIST", "INVALID", "ERROR"};

bool begins_reserved(std::string_view value) noexcept {
    return std::ranges::any_of(reserved_words, [&](std::string_view word) {
        return value.starts_with(word) &&
               (value.size() == word.size() || value[word.size()] == ' ');
    });
}

bool is_bare(std::string_view value) noexcept {
    if (value.empty() || value.front() == '"' || value.front() == ' ' || value.back() == ' ') {
        return false;
    }
    const bool plain =
        std::ranges::none_of(value, [](char c) { return class_of(c) == control || c == '\t'; });
    return plain && !begins_reserved(value);
}

// Means the same with and without quotes, at every place of a line: a line must not begin with `*`
// or a byte from 0x80 on, nor look like HTTP.
bool is_plain_argument(std::string_view argument) noexcept {
    if (argument.empty() || argument.front() == '*' || (argument.front() & 0x80) != 0 ||
        argument.starts_with("HTTP/1.")) {
        return false;
    }
    return std::ranges::all_of(argument, [](char c) { return class_of(c) == ordinary; });
}

}  // namespace

line_fault split_line(std::span<char> line, argument_list& arguments, std::size_t arguments_max) {
    arguments.clear();
    line_reader reader{line.data(), line.data() + line.size(), line.data()};
    for (reader.skip_blanks(); reader.at != reader.end; reader.skip_blanks()) {
        if (arguments.size() == arguments_max) {
            return line_fault::too_many_arguments;
        }
        // An unquoted argument stays where it is: only what follows a quote moves.
        reader.to = line.data() + (reader.at - line.data());
        char* const begin = reader.to;
        const auto fault = reader.read_argument();
        if (fault != line_fault::none) {
            return fault;
        }
        arguments.emplace_back(begin, static_cast<std::size_t>(reader.to - begin));
    }
    return line_fault::none;
}

void append_quoted(flat_buffer& out, std::string_view bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    out.append('"');
    for (const char c : bytes) {
        if (const char letter = escape_letter(c); letter != 0) {
            out.append('\\');
            out.append(letter);
        } else if (const auto byte = static_cast<unsigned char>(c); byte < 0x20 || byte == 0x7f) {
            out.append("\\x");
            out.append(digits[byte >> 4]);
            out.append(digits[byte & 15]);
        } else {
            out.append(c);
        }
    }
    out.append('"');
}

void append_value(flat_buffer& out, std::string_view value) {
    if (is_bare(value)) {
        out.append(value);
    } else {
        append_quoted(out, value);
    }
}

void append_argument(flat_buffer& out, std::string_view argument) {
    if (is_plain_argument(argument)) {
        out.append(argument);
    } else {
        append_quoted(out, argument);
    }
}

}  // namespace butterdb
