#include "foreign.hpp"

#include <butterdb/base/text.hpp>
#include <butterdb/protocol/verbs.hpp>

#include <algorithm>
#include <array>
#include <cstddef>

namespace butterdb {

namespace {

constexpr bool is_blank(char c) noexcept {
    return c == ' ' || c == '\t';
}

std::string_view first_word(std::string_view line) noexcept {
    const auto begin = std::find_if_not(line.begin(), line.end(), is_blank);
    const auto end = std::find_if(begin, line.end(), is_blank);
    return line.substr(
        static_cast<std::size_t>(begin - line.begin()), static_cast<std::size_t>(end - begin));
}

constexpr std::size_t version_bytes = 4;  // `/1.0`

bool ends_in_version(std::string_view text) noexcept {
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    if (text.size() < version_bytes || text[text.size() - 2] != '.') {
        return false;
    }
    const auto tail = text.substr(text.size() - version_bytes);
    return tail[0] == '/' && is_digit(tail[1]) && is_digit(tail[3]);
}

// `HTTP/2.0`, `RTSP/1.0`, `SIP/2.0`.
bool is_protocol_version(std::string_view word) noexcept {
    return ends_in_version(word) && word.size() > version_bytes &&
           std::ranges::all_of(word.substr(0, word.size() - version_bytes), [](char c) {
               return c >= 'A' && c <= 'Z';
           });
}

// Whether a request or header of another protocol begins so; no command does.
bool is_foreign_word(std::string_view word) noexcept {
    constexpr std::array<std::string_view, 5> verbs_of_others{
        "POST", "EHLO", "HELO", "LHLO", "PROXY"};
    const bool is_verb = std::ranges::any_of(
        verbs_of_others, [&](std::string_view each) { return equals_ignoring_case(word, each); });
    return is_verb || equals_ignoring_case(word.substr(0, 5), "HOST:") ||
           (word.size() > 1 && word.ends_with(':')) || word.starts_with("SSH-") ||
           is_protocol_version(word);
}

}  // namespace

bool is_foreign(std::string_view line) noexcept {
    const auto verb = first_word(line);
    const bool has_version = ends_in_version(line);
    const bool is_short = verb.size() <= 3 && !verb.ends_with(':');  // as GET and PUT are
    if (is_short && !has_version) {
        return false;
    }
    if (is_foreign_word(verb)) {
        return true;
    }
    if (!has_version) {
        return false;
    }
    const bool is_http = line.ends_with(" HTTP/1.1") || line.ends_with(" HTTP/1.0");
    const auto last = line.substr(line.find_last_of(" \t") + 1);
    return is_http || (is_protocol_version(last) && find_verb(verb) == nullptr);
}

}  // namespace butterdb
