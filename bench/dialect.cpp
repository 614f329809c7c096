#include "dialect.hpp"

#include <butterdb/base/number.hpp>
#include <butterdb/protocol/quoting.hpp>

#include <array>
#include <charconv>
#include <string>
#include <utility>

namespace butterdb::bench {

namespace {

constexpr std::string_view line_end = "\r\n";

// Elements that one reply of RESP may have, those of arrays within arrays included.
constexpr std::uint64_t elements_max = reply_reader::lines_max;

void append_number(flat_buffer& out, std::size_t number) {
    std::array<char, 20> digits{};
    const auto* const end = std::to_chars(digits.data(), digits.data() + 20, number).ptr;
    out.append({digits.data(), static_cast<std::size_t>(end - digits.data())});
}

void append_bulk(flat_buffer& out, std::string_view word) {
    out.append('$');
    append_number(out, word.size());
    out.append(line_end);
    out.append(word);
    out.append(line_end);
}

// A line without its end; nothing when it is not complete.
std::optional<std::string_view> line_of(std::string_view input) {
    const auto end = input.substr(0, reply_line_bytes_max).find('\n');
    if (end == input.npos && input.size() < reply_line_bytes_max) {
        return std::nullopt;
    }
    if (end == input.npos || end == 0 || input[end - 1] != '\r') {
        throw reply_error();
    }
    return input.substr(0, end - 1);
}

// A length of RESP or memcache: -1 is none, RESP's null.
std::int64_t length_of(std::string_view digits) {
    const auto length = parse_integer(digits);
    if (!length || *length < -1 || *length > std::int64_t{4} << 30) {
        throw reply_error();
    }
    return *length;
}

// An element of RESP: a reply, or a part of one.
struct element {
    reply own;                  // without what follows
    std::uint64_t follows = 0;  // elements that belong to it
};

std::optional<element> bulk_element(std::string_view input, std::string_view line) {
    const auto length = length_of(line.substr(1));
    const auto begin = line.size() + line_end.size();
    if (length < 0) {
        return element{{reply::kind::missing, {}, begin}};
    }
    const auto bytes = static_cast<std::size_t>(length);
    const auto end = begin + bytes + line_end.size();
    if (input.size() < end) {
        return std::nullopt;
    }
    return element{{reply::kind::value, input.substr(begin, bytes), end}};
}

element array_element(std::string_view line) {
    const auto length = length_of(line.substr(1));
    const auto bytes = line.size() + line_end.size();
    if (length < 0) {
        return {{reply::kind::missing, {}, bytes}};
    }
    const auto elements = static_cast<std::uint64_t>(length);
    return {{reply::kind::done, {}, bytes}, line[0] == '%' ? 2 * elements : elements};
}

std::optional<element> first_element(std::string_view input) {
    const auto line = line_of(input);
    if (!line) {
        return std::nullopt;
    }
    if (line->empty()) {
        throw reply_error();
    }
    const auto bytes = line->size() + line_end.size();
    switch ((*line)[0]) {
        case '+':
        case ':':
        case '#':
        case ',':
        case '(':
            return element{{reply::kind::done, line->substr(1), bytes}};
        case '-':
            return element{{reply::kind::failure, line->substr(1), bytes}};
        case '_':
            return element{{reply::kind::missing, {}, bytes}};
        case '$':
        case '=':
            return bulk_element(input, *line);
        case '*':
        case '~':
        case '%':
            return array_element(*line);
        default:
            throw reply_error();
    }
}

// `VALUE key flags bytes`, the value, and `END`.
std::optional<reply> first_memcache_value(std::string_view input, std::string_view line) {
    const auto length = length_of(line.substr(line.rfind(' ') + 1));
    const auto begin = line.size() + line_end.size();
    constexpr std::string_view end = "\r\nEND\r\n";
    if (length < 0) {
        throw reply_error();
    }
    const auto bytes = static_cast<std::size_t>(length);
    if (input.size() < begin + bytes + end.size()) {
        return std::nullopt;
    }
    if (input.substr(begin + bytes, end.size()) != end) {
        throw reply_error();
    }
    return reply{reply::kind::value, input.substr(begin, bytes), begin + bytes + end.size()};
}

std::optional<reply> first_memcache(std::string_view input) {
    const auto line = line_of(input);
    if (!line) {
        return std::nullopt;
    }
    const auto bytes = line->size() + line_end.size();
    if (line->starts_with("VALUE ")) {
        return first_memcache_value(input, *line);
    }
    if (*line == "END" || *line == "NOT_FOUND") {
        return reply{reply::kind::missing, {}, bytes};
    }
    const bool is_done = *line == "STORED" || *line == "DELETED" || *line == "OK";
    return reply{is_done ? reply::kind::done : reply::kind::failure, *line, bytes};
}

// A verb: of text and RESP, where it has three letters, and of memcache.
struct verb_names {
    std::string_view ours;
    std::string_view of_memcache;
};

// A request of a verb and a key.
void append_about(dialect spoken, verb_names verb, std::string_view key, flat_buffer& out) {
    if (spoken == dialect::resp) {
        out.append("*2\r\n$3\r\n");
        out.append(verb.ours);
        out.append(line_end);
        append_bulk(out, key);
        return;
    }
    out.append(spoken == dialect::text ? verb.ours : verb.of_memcache);
    out.append(' ');
    out.append(key);
    out.append(spoken == dialect::text ? "\n" : line_end);
}

}  // namespace

reply_too_long::reply_too_long(std::size_t bytes_max)
    : std::runtime_error(
          "the server's reply is longer than the " + std::to_string(bytes_max) +
          " bytes that this load allows") {}

std::optional<reply> reply_splitter::first(std::string_view input) {
    std::optional<reply> found;
    switch (spoken_) {
        case dialect::text:
            found = first_text(input);
            break;
        case dialect::resp:
            found = first_resp(input);
            break;
        case dialect::memcache:
            found = first_memcache(input);
            break;
    }
    if ((found ? found->bytes : input.size()) > reply_bytes_max_) {
        throw reply_too_long(reply_bytes_max_);
    }
    return found;
}

std::optional<reply> reply_splitter::first_resp(std::string_view input) {
    while (const auto next = first_element(input.substr(whole_bytes_))) {
        whole_bytes_ += next->own.bytes;
        elements_due_ += next->follows;
        if (elements_due_ > elements_max) {
            throw reply_error();
        }
        if (--elements_due_ == 0) {
            const auto bytes = std::exchange(whole_bytes_, 0);
            elements_due_ = 1;
            return next->own.bytes == bytes ? next->own : reply{reply::kind::done, {}, bytes};
        }
    }
    return std::nullopt;
}

std::optional<reply> reply_splitter::first_text(std::string_view input) {
    switch (lines_.look(input)) {
        case reply_reader::status::incomplete:
            return std::nullopt;
        case reply_reader::status::broken:
            throw reply_error();
        case reply_reader::status::complete:
            break;
    }
    const auto whole = input.substr(0, lines_.size());
    lines_.reset();
    const auto text = whole.substr(0, whole.size() - 1);
    auto what = reply::kind::value;
    if (reply_reader::is_failure(whole)) {
        what = reply::kind::failure;
    } else if (text == "NOT_FOUND") {
        what = reply::kind::missing;
    } else if (text == "OK" || text == "DELETED") {
        what = reply::kind::done;
    }
    return reply{what, text, whole.size()};
}

void append_command(dialect spoken, std::span<const std::string_view> words, flat_buffer& out) {
    if (spoken == dialect::resp) {
        out.append('*');
        append_number(out, words.size());
        out.append(line_end);
        for (const auto word : words) {
            append_bulk(out, word);
        }
        return;
    }
    std::string_view blank;
    for (const auto word : words) {
        out.append(blank);
        append_argument(out, word);
        blank = " ";
    }
    out.append(spoken == dialect::text ? "\n" : line_end);
}

void append_put(dialect spoken, std::string_view key, std::string_view value, flat_buffer& out) {
    switch (spoken) {
        case dialect::text:
            out.append("PUT ");
            out.append(key);
            out.append(' ');
            out.append(value);
            out.append('\n');
            break;
        case dialect::resp:
            out.append("*3\r\n$3\r\nSET\r\n");
            append_bulk(out, key);
            append_bulk(out, value);
            break;
        case dialect::memcache:
            out.append("set ");
            out.append(key);
            out.append(" 0 0 ");
            append_number(out, value.size());
            out.append(line_end);
            out.append(value);
            out.append(line_end);
            break;
    }
}

void append_get(dialect spoken, std::string_view key, flat_buffer& out) {
    append_about(spoken, {"GET", "get"}, key, out);
}

void append_delete(dialect spoken, std::string_view key, flat_buffer& out) {
    append_about(spoken, {"DEL", "delete"}, key, out);
}

}  // namespace butterdb::bench
