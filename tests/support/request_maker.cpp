#include "support/request_maker.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

namespace butterdb::test {

namespace {

using fate = sent_request::fate;

std::string header(const char* kind, std::size_t number) {
    return std::string(kind).append(std::to_string(number)).append("\r\n");
}

std::string bulk_of(std::string_view bytes) {
    return header("$", bytes.size()).append(bytes).append("\r\n");
}

bool needs_quotes(std::string_view word) {
    return word.empty() || std::ranges::any_of(word, [](char c) {
               return (c >= 0 && c <= ' ') || c == 0x7f || c == '"' || c == '\'';
           });
}

}  // namespace

std::string array_of(const words& request) {
    auto bytes = header("*", request.size());
    for (const auto& word : request) {
        bytes += bulk_of(word);
    }
    return bytes;
}

sent_request request_maker::next() {
    if (style_.nonsense && choose_.one_in(200)) {
        return nonsense();
    }
    if (style_.over_limits && choose_.one_in(20)) {
        return over_limit();
    }
    if (choose_.one_in(40)) {
        static constexpr std::array<const char*, 4> empties{"\n", "\r\n", "*0\r\n", "*-1\r\n"};
        return {empties.at(choose_.below(empties.size())), {}, fate::empty};
    }
    if (style_.password && choose_.one_in(20)) {
        return say(choose_.one_in(2) ? style_.secret : "guess");
    }
    return write(make_words());
}

sent_request request_maker::leave() {
    return write({choose_.one_in(2) ? "QUIT" : "EXIT"});
}

sent_request request_maker::say(std::string_view password) {
    return write({"AUTH", std::string(password)});
}

words request_maker::make_words() {
    const auto kind = choose_.below(20);
    if (kind < 9) {
        return make_write();
    }
    if (kind < 16) {
        return make_read();
    }
    if (kind < 18 && style_.transactions) {
        return make_together();
    }
    switch (choose_.below(8)) {
        case 0:
            return {"NONSENSE", key()};
        case 1:
            return {"GET", key(), key()};
        case 2:
            return {"PUT", key(), value(), "NONSENSE"};
        case 3:
            return {"ECHO", value()};
        case 4:
            return {"RESET"};
        default:
            return {"PING"};
    }
}

words request_maker::make_write() {
    switch (choose_.below(style_.deadlines ? 16 : 12)) {
        case 0:
            return {"PUT", key(), value(), choose_.one_in(2) ? "NX" : "XX"};
        case 1:
            return {"SET", key(), value(), "GET"};
        case 2:
            return {"PUT", key(), value(), "IFEQ", value()};
        case 3:
            return {"DEL", key()};
        case 4:
            return {"DEL", key(), key()};
        case 5:
            return {"APPEND", key(), value()};
        case 6:
            return {"INCRBY", key(), std::to_string(choose_.below(1000))};
        case 7:
            return style_.partial_writes ? words{"MSET", key(), value(), key(), value()}
                                         : words{"GETDEL", key()};
        case 8:
            return {"GETDEL", key()};
        case 9:
            return choose_.one_in(20) ? words{"FLUSHALL"} : words{"RENAME", key(), key()};
        case 12:
            return {"PUT", key(), value(), "PX", milliseconds()};
        case 13:
            return {"PEXPIRE", key(), choose_.one_in(8) ? "0" : milliseconds()};
        case 14:
            return {"PERSIST", key()};
        case 15:
            return {"SET", key(), value(), "KEEPTTL"};
        default:
            return {choose_.one_in(2) ? "PUT" : "set", key(), value()};
    }
}

words request_maker::make_read() {
    switch (choose_.below(9)) {
        case 0:
            return {"EXISTS", key(), key(), key()};
        case 1:
            return {"MGET", key(), key(), key()};
        case 2:
            return {"STRLEN", key()};
        case 3:
            return {"GETTTL", key()};
        case 4:
            return {"PTTL", key()};
        case 5:
            return style_.waits ? words{"WAITKEY", key(), milliseconds()} : words{"GET", key()};
        default:
            return {choose_.one_in(4) ? "get" : "GET", key()};
    }
}

words request_maker::make_together() {
    switch (choose_.below(6)) {
        case 0:
        case 1:
            return {"MULTI"};
        case 2:
        case 3:
            return {"EXEC"};
        case 4:
            return {"WATCH", key()};
        default:
            return choose_.one_in(2) ? words{"DISCARD"} : words{"UNWATCH"};
    }
}

std::string request_maker::key() {
    static constexpr std::array<const char*, 4> odd{"", "two words", "line\r\nend", "\"q'\\"};
    const auto number = choose_.below(style_.keys);
    return choose_.one_in(16) ? odd.at(number % odd.size())
                              : std::string("k").append(std::to_string(number));
}

std::string request_maker::value() {
    static constexpr std::array<const char*, 10> odd{
        "", " ", "NOT_FOUND", "OK x", "\r\n+OK\r\n", "caf\xc3\xa9", "\"", "10", "-1", "LIST 2"};
    const auto kind = choose_.below(32);
    if (kind < odd.size()) {
        return odd.at(kind);
    }
    const auto letter = static_cast<char>('a' + choose_.below(26));
    const unsigned bytes_max = !style_.large_values || kind < 24 ? 40 : kind < 31 ? 3'000 : 40'000;
    return std::string(choose_.below(bytes_max), letter);
}

std::string request_maker::milliseconds() {
    return std::to_string(1 + choose_.below(choose_.one_in(2) ? 50 : 5'000));
}

sent_request request_maker::write(words request) {
    const bool as_line = style_.lines && (!style_.resp || choose_.one_in(2));
    auto bytes = as_line ? line_of(request) : std::string();
    if (as_line && bytes.size() <= limits_.line_bytes_max) {
        bytes += choose_.one_in(2) ? "\n" : "\r\n";
        return {std::move(bytes), std::move(request)};
    }
    auto reason = too_long(request);
    const auto becomes = reason.empty() ? fate::answered : fate::malformed;
    return {array_of(request), std::move(request), becomes, false, std::move(reason)};
}

// Why an array will not be executed; empty: it will.
std::string request_maker::too_long(const words& request) const {
    auto end = header("*", request.size()).size();
    for (const auto& word : request) {
        end += bulk_of(word).size();
        if (word.size() > limits_.argument_bytes_max()) {
            return "argument of ";
        }
        if (end > limits_.request_bytes_max()) {
            return "request of ";
        }
    }
    return {};
}

std::string request_maker::line_of(const words& request) {
    std::string line;
    for (const auto& word : request) {
        line += line.empty() ? "" : choose_.one_in(8) ? " \t " : " ";
        line += line_word(word);
    }
    return line;
}

std::string request_maker::line_word(const std::string& word) {
    const bool is_printable = std::ranges::none_of(word, [](char c) { return c >= 0 && c < ' '; });
    if (!needs_quotes(word) && !choose_.one_in(8)) {
        return word;
    }
    const bool single = is_printable && word.find('\'') == word.npos && choose_.one_in(2);
    std::string quoted(1, single ? '\'' : '"');
    for (const char c : word) {
        if (!single && (c == '"' || c == '\\')) {
            quoted += '\\';
        }
        if (c >= 0 && c < ' ') {
            std::array<char, 5> escaped{};
            std::snprintf(escaped.data(), escaped.size(), "\\x%02x", static_cast<unsigned>(c));
            quoted += escaped.data();
        } else {
            quoted += c;
        }
    }
    return quoted + quoted.front();
}

sent_request request_maker::over_limit() {
    const auto longest = limits_.argument_bytes_max();
    switch (choose_.below(4)) {
        case 0:
            return write({"PUT", std::string(limits_.key_bytes_max + 1, 'x'), "v"});
        case 1:
            return write({"ECHO", std::string(longest + 1, 'x')});
        case 2: {
            words request(limits_.request_bytes_max() / longest + 2, std::string(longest, 'x'));
            request.front() = "MGET";
            return write(std::move(request));
        }
        default:
            return {"PUT a\x01 b\n", {}, fate::malformed, true, "control character"};
    }
}

sent_request request_maker::nonsense() {
    switch (choose_.below(7)) {
        case 0:
            return {std::string("\x16\x03\x01\x00x", 5), {}, fate::foreign};
        case 1:
            return {"PUT /x HTTP/1.1\r\n", {}, fate::foreign};
        case 2:
            return {"GET \"a\n", {}, fate::broken, true, "Protocol error: unbalanced quotes"};
        case 3:
            return {
                std::string(limits_.line_bytes_max + 1, 'x') + "\n",
                {},
                fate::broken,
                true,
                "Protocol error: too big inline request"};
        case 4:
            return {"User-Agent: x\r\n", {}, fate::foreign};
        case 5:
            return {"*1\r\n$x\r\n", {}, fate::broken, false, "Protocol error: invalid bulk length"};
        default:
            return {
                "*99999999999\r\n",
                {},
                fate::broken,
                false,
                "Protocol error: invalid multibulk length"};
    }
}

}  // namespace butterdb::test
