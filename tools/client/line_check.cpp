#include "line_check.hpp"

#include <butterdb/base/limits.hpp>
#include <butterdb/protocol/frame.hpp>
#include <butterdb/protocol/verbs.hpp>

#include <limits>
#include <utility>

namespace butterdb {

namespace {

// The length of a line is checked before, against what the server takes.
const limits& any_length() {
    static const limits chosen = [] {
        limits some;
        some.line_bytes_max = std::numeric_limits<std::uint64_t>::max();
        return some;
    }();
    return chosen;
}

bool may_begin_line(char c) noexcept {
    return (c >= ' ' && c <= '~') || c == '\t';
}

}  // namespace

line_check::verdict line_check::check(std::string_view line, std::uint64_t line_bytes_max) {
    arguments_.clear();
    command_ = {};
    const auto content = line.size() - (line.ends_with('\r') ? 1 : 0);
    if (content > line_bytes_max) {
        return refuse(
            "the line is longer than the server takes, " + std::to_string(line_bytes_max) +
            " bytes (--max-line of the server; redis-cli -x sends longer values)");
    }
    copy_.assign(line).append("\n");
    frame_reader frames(any_length());
    switch (frames.next(copy_, arguments_).what) {
        case frame::kind::empty:
            return verdict::blank;
        case frame::kind::malformed:
            arguments_.clear();
            return verdict::request;
        case frame::kind::line:
            break;
        case frame::kind::foreign:
            return refuse_foreign(line.substr(0, content));
        case frame::kind::broken:
            return refuse(
                R"(a quote is not closed, or no blank follows a closing quote; write \" for a )"
                R"(quote inside "...", and quotes around an argument that has one)");
        default:
            return refuse(
                "a line that begins with '*' begins a request in RESP, and no command begins so");
    }
    if (const auto* const known = find_verb(arguments_.front()); known != nullptr) {
        command_ = known->name;
    }
    if (command_ == "HELLO") {
        return refuse("replies would no longer be lines, which this client reads");
    }
    return verdict::request;
}

bool line_check::is_foreign(std::string_view line) {
    copy_.assign(line).append("\n");
    argument_list ignored;
    return frame_reader(any_length()).next(copy_, ignored).what == frame::kind::foreign;
}

line_check::verdict line_check::refuse_foreign(std::string_view line) {
    arguments_.clear();
    if (!may_begin_line(line.front())) {
        return refuse(
            "it would end the connection: a command begins with a letter, not with a control "
            "character or a byte over 0x7f");
    }
    const auto last_blank = line.rfind(' ');
    if (last_blank != line.npos && line.substr(last_blank).starts_with(" HTTP/1.") &&
        !is_foreign(line.substr(0, last_blank))) {
        return refuse(
            "it ends as a request of HTTP does, which ends the connection; put quotes around "
            "HTTP/1.0 and HTTP/1.1");
    }
    return refuse(
        "it would end the connection: it is no command, and looks like a request or a header of "
        "another protocol");
}

line_check::verdict line_check::refuse(std::string objection) {
    objection_ = std::move(objection);
    return verdict::refused;
}

}  // namespace butterdb
