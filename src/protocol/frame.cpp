#include <butterdb/base/text.hpp>
#include <butterdb/protocol/frame.hpp>

namespace butterdb {

namespace {

constexpr std::string_view blanks = " \t";

// A blank, a printable byte, `*`, or the CR or LF of an empty line.
constexpr bool may_begin_request(char c) noexcept {
    return (c >= ' ' && c <= '~') || c == '\n' || c == '\r';
}

// A browser or another HTTP client sends its requests as lines; none of them may run.
bool is_http(std::string_view line) noexcept {
    if (line.ends_with(" HTTP/1.1") || line.ends_with(" HTTP/1.0")) {
        return true;
    }
    const auto begin = line.find_first_not_of(blanks);
    if (begin == line.npos) {
        return false;
    }
    const auto verb = line.substr(begin, line.find_first_of(blanks, begin) - begin);
    return equals_ignoring_case(verb, "POST") || equals_ignoring_case(verb.substr(0, 5), "HOST:");
}

frame read_line(
    std::span<char> line, std::size_t size, argument_list& arguments, const limits& lim) {
    if (is_http({line.data(), line.size()})) {
        return {frame::kind::foreign, size, {}};
    }
    switch (split_line(line, arguments, lim.arguments_max)) {
        case line_fault::none:
            break;
        case line_fault::control_byte:
            return {
                frame::kind::malformed,
                size,
                R"(control character outside quotes, write it as "\xHH")"};
        case line_fault::unbalanced_quotes:
            return {frame::kind::broken, size, "Protocol error: unbalanced quotes in request"};
        case line_fault::too_many_arguments:
            return {frame::kind::malformed, size, "too many arguments in one request"};
    }
    return {arguments.empty() ? frame::kind::empty : frame::kind::request, size, {}};
}

}  // namespace

frame next_frame(std::span<char> input, argument_list& arguments, const limits& lim) {
    if (input.empty()) {
        return {frame::kind::incomplete, 0, {}};
    }
    const std::string_view bytes(input.data(), input.size());
    const char first = bytes.front();
    if (!may_begin_request(first)) {
        return {frame::kind::foreign, bytes.size(), {}};
    }
    if (first == '*') {
        return {frame::kind::broken, bytes.size(), "Protocol error: RESP is not spoken here"};
    }
    const auto line_feed = bytes.find('\n');
    const bool whole = line_feed != bytes.npos;
    const auto line = bytes.substr(0, line_feed);
    if (first == '\r' && line.size() > 1) {
        return {frame::kind::foreign, bytes.size(), {}};
    }
    const auto content = line.size() - (line.ends_with('\r') ? 1 : 0);
    if (content > lim.line_bytes_max) {
        return {frame::kind::broken, bytes.size(), "Protocol error: too big inline request"};
    }
    if (!whole) {
        return {frame::kind::incomplete, 0, {}};
    }
    return read_line(input.first(content), line.size() + 1, arguments, lim);
}

bool frame_is_ready(std::string_view input, std::size_t searched) noexcept {
    if (input.empty()) {
        return false;
    }
    if (searched == 0 && (input.front() == '*' || !may_begin_request(input.front()))) {
        return true;
    }
    return input.find('\n', searched) != input.npos;
}

}  // namespace butterdb
