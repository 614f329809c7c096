#include <butterdb/base/text.hpp>
#include <butterdb/protocol/quoting.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

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

// What stands for a byte inside quotes.
struct escape {
    std::array<char, 4> text{};
    std::uint8_t size = 1;  // 1: the byte itself
};

constexpr auto escapes = [] {
    constexpr std::string_view digits = "0123456789abcdef";
    std::array<escape, 256> table{};
    for (std::size_t byte = 0; byte < table.size(); ++byte) {
        if (byte < 0x20 || byte == 0x7f) {
            table[byte] = {{'\\', 'x', digits[byte >> 4], digits[byte & 15]}, 4};
        } else {
            table[byte] = {{static_cast<char>(byte)}, 1};
        }
    }
    constexpr std::string_view bytes = "\"\\\n\r\t\a\b";
    constexpr std::string_view letters = "\"\\nrtab";
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        table[static_cast<unsigned char>(bytes[i])] = {{'\\', letters[i]}, 2};
    }
    return table;
}();

const escape& escape_of(char c) noexcept {
    return escapes[static_cast<unsigned char>(c)];
}

std::size_t quoted_size(std::string_view bytes) noexcept {
    std::size_t size = 2;
    for (const char c : bytes) {
        size += escape_of(c).size;
    }
    return size;
}

// Returns the end of what it writes. Bytes without an escape are copied in runs.
char* write_quoted(char* to, std::string_view bytes) noexcept {
    *to++ = '"';
    const char* at = bytes.data();
    const char* const end = at + bytes.size();
    while (at != end) {
        const char* const run =
            std::find_if(at, end, [](char c) { return escape_of(c).size != 1; });
        to = std::copy(at, run, to);
        at = run;
        for (; at != end && escape_of(*at).size != 1; ++at) {
            const auto& found = escape_of(*at);
            to = std::copy_n(found.text.data(), found.size, to);
        }
    }
    *to++ = '"';
    return to;
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
            const bool is_escape = c == '\\' && at != end && (mark == '"' || *at == '\'');
            if (is_escape && mark == '"') {
                read_escape();
            } else {
                *to++ = is_escape ? *at++ : c;
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
    const auto size = quoted_size(bytes);
    write_quoted(out.prepare(size), bytes);
    out.commit(size);
}

std::size_t shown_size(std::string_view value) noexcept {
    return is_bare(value) ? value.size() : quoted_size(value);
}

char* write_value(char* to, std::string_view value, std::size_t size) noexcept {
    // Quotes alone make it longer.
    return size == value.size() ? std::copy(value.begin(), value.end(), to)
                                : write_quoted(to, value);
}

void append_argument(flat_buffer& out, std::string_view argument) {
    if (is_plain_argument(argument)) {
        out.append(argument);
    } else {
        append_quoted(out, argument);
    }
}

}  // namespace butterdb
