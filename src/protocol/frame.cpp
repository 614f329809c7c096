#include "foreign.hpp"
#include <butterdb/base/assert.hpp>
#include <butterdb/base/number.hpp>
#include <butterdb/base/text.hpp>
#include <butterdb/protocol/frame.hpp>

#include <algorithm>
#include <utility>

namespace butterdb {

namespace {

// The largest length that Redis's protocol knows.
constexpr std::int64_t bulk_bytes_max = std::int64_t{512} << 20;

// A count or length and its CR: more digits than any number has.
constexpr std::size_t number_bytes_max = 32;

// A blank, a printable byte, `*`, or the CR or LF of an empty line.
constexpr bool may_begin_request(char c) noexcept {
    return (c >= ' ' && c <= '~') || c == '\t' || c == '\n' || c == '\r';
}

// A number and its CR LF.
struct number_line {
    enum class state { whole, incomplete, wrong };

    state what;
    std::int64_t number;
    std::size_t end;  // behind its LF
};

number_line read_number(std::string_view input, std::size_t at) noexcept {
    using enum number_line::state;
    const auto text = input.substr(at, number_bytes_max);
    const auto cr = text.find('\r');
    if (cr == text.npos) {
        return {text.size() == number_bytes_max ? wrong : incomplete, 0, 0};
    }
    const auto number = parse_integer(text.substr(0, cr));
    const auto line_feed = at + cr + 1;
    if (!number || (line_feed < input.size() && input[line_feed] != '\n')) {
        return {wrong, 0, 0};
    }
    return {line_feed == input.size() ? incomplete : whole, *number, line_feed + 1};
}

// Steps over the parts of an array as most are. What it does not know is 0 or false.
struct short_header {
    const char* at;
    const char* end;

    // `kind`, a number from 1 on in few digits, CR LF. Something always follows them.
    std::size_t number(char kind) noexcept {
        constexpr std::size_t few = 100'000'000;
        constexpr std::ptrdiff_t shortest_and_more = 5;
        if (end - at < shortest_and_more || *at != kind) {
            return 0;
        }
        std::size_t sum = digit_at(at + 1);
        if (sum == 0 || sum > 9) {
            return 0;
        }
        at += 2;
        for (auto digit = digit_at(at); digit <= 9; digit = digit_at(at)) {
            sum = sum * 10 + digit;
            if (end - ++at < 2 || sum >= few) {
                return 0;
            }
        }
        return skip_line_end() ? sum : 0;
    }

    bool skip_bulk(std::size_t bytes) noexcept {
        if (static_cast<std::size_t>(end - at) < bytes + 2) {
            return false;
        }
        at += bytes;
        return skip_line_end();
    }

private:
    static unsigned digit_at(const char* where) noexcept {
        return static_cast<unsigned char>(*where) - unsigned{'0'};
    }

    // Two bytes are there.
    bool skip_line_end() noexcept {
        const bool found = at[0] == '\r' && at[1] == '\n';
        at += 2;
        return found;
    }
};

bool is_length(const number_line& header) noexcept {
    return header.what == number_line::state::whole && header.number >= 0 &&
           header.number <= bulk_bytes_max;
}

// The length of the bulk at `at`, and where its bytes begin.
number_line read_bulk_header(std::string_view input, std::size_t at) noexcept {
    return read_number(input, at + 1);
}

}  // namespace

frame frame_reader::next(std::span<char> input, argument_list& arguments) {
    if (skipping_) {
        return skip({input.data(), input.size()});
    }
    if (input.empty()) {
        return {frame::kind::incomplete, 0};
    }
    if (checked_ > 0 || input.front() == '*') {
        return next_array({input.data(), input.size()}, arguments);
    }
    return next_line(input, arguments);
}

bool frame_reader::is_ready(std::string_view input, std::size_t searched) const noexcept {
    if (input.empty()) {
        return false;
    }
    if (needed_ > 0 || skipping_) {
        return input.size() >= needed_;
    }
    if (searched == 0 && (input.front() == '*' || !may_begin_request(input.front()))) {
        return true;
    }
    if (input.front() == '\r' && input.size() > 1) {
        return true;  // an empty line, or none of ours
    }
    const auto content = input.size() - (input.ends_with('\r') ? 1 : 0);
    return content > limits_->line_bytes_max || input.find('\n', searched) != input.npos;
}

frame frame_reader::fail(frame::kind what, std::size_t size, std::string reason) {
    reason_ = std::move(reason);
    return {what, size};
}

// Lines.

frame frame_reader::next_line(std::span<char> input, argument_list& arguments) {
    const std::string_view bytes(input.data(), input.size());
    const char first = bytes.front();
    if (!may_begin_request(first)) {
        return {frame::kind::foreign, bytes.size()};
    }
    const auto line_feed = bytes.find('\n');
    const bool whole = line_feed != bytes.npos;
    const auto line = bytes.substr(0, line_feed);
    if (first == '\r' && line.size() > 1) {
        return {frame::kind::foreign, bytes.size()};
    }
    const auto content = line.size() - (line.ends_with('\r') ? 1 : 0);
    if (content > limits_->line_bytes_max) {
        return fail(frame::kind::broken, bytes.size(), "Protocol error: too big inline request");
    }
    if (!whole) {
        return {frame::kind::incomplete, 0};
    }
    return read_line(input.first(content), line.size() + 1, arguments);
}

frame frame_reader::read_line(std::span<char> line, std::size_t size, argument_list& arguments) {
    if (is_foreign({line.data(), line.size()})) {
        return {frame::kind::foreign, size};
    }
    const auto count_max = strict_ ? limits_->stranger_arguments_max : limits_->arguments_max;
    switch (split_line(line, arguments, count_max)) {
        case line_fault::none:
            break;
        case line_fault::control_byte:
            return fail(
                frame::kind::malformed,
                size,
                R"(control character outside quotes, write it as "\xHH")");
        case line_fault::unbalanced_quotes:
            return fail(frame::kind::broken, size, "Protocol error: unbalanced quotes in request");
        case line_fault::too_many_arguments:
            return fail(frame::kind::malformed, size, "too many arguments in one request");
    }
    return {arguments.empty() ? frame::kind::empty : frame::kind::line, size};
}

// RESP: `*2 CR LF $3 CR LF GET CR LF $1 CR LF a CR LF`.

std::size_t frame_reader::look_ahead(
    std::string_view input, std::span<whole_array> found, argument_list& arguments) const {
    arguments.clear();
    if (checked_ > 0 || skipping_ || strict_) {
        return 0;
    }
    const whole_bounds bounds{
        std::min<std::uint64_t>(limits_->arguments_max, whole_arguments_max),
        limits_->argument_bytes_max(),
        limits_->request_bytes_max()};
    std::size_t count = 0;
    while (count < found.size() && !input.empty()) {
        const auto before = arguments.size();
        const auto size = take_whole(input, bounds, arguments);
        if (size == 0) {
            arguments.resize(before);
            break;
        }
        found[count++] = {size, arguments.size() - before};
        input.remove_prefix(size);
    }
    return count;
}

// One pass over the headers; 0 leaves it to the careful way below, which knows what is wrong or
// missing. Nothing is remembered, so that one may look as often as one likes.
std::size_t frame_reader::take_whole(
    std::string_view input, const whole_bounds& bounds, argument_list& arguments) {
    short_header read{input.data(), input.data() + input.size()};
    const auto count = read.number('*');
    if (count == 0 || count > bounds.arguments) {
        return 0;
    }
    for (auto left = count; left > 0; --left) {
        const auto bytes = read.number('$');
        if (bytes == 0 || bytes > bounds.argument_bytes) {
            return 0;
        }
        const char* const argument = read.at;
        if (!read.skip_bulk(bytes)) {
            return 0;
        }
        arguments.emplace_back(argument, bytes);
    }
    const auto size = static_cast<std::size_t>(read.at - input.data());
    return size <= bounds.request_bytes ? size : 0;
}

frame frame_reader::next_array(std::string_view input, argument_list& arguments) {
    const bool is_new = checked_ == 0;
    needed_ = 0;
    if (is_new) {
        const auto begun = begin_array(input);
        if (begun.what != frame::kind::array) {
            return begun;
        }
        arguments.clear();
    }
    for (; left_ > 0; --left_) {
        std::string_view argument;
        const auto read = next_bulk(input, argument);
        if (read.what != frame::kind::array) {
            return read;
        }
        if (is_new) {
            arguments.push_back(argument);
        }
    }
    const auto size = std::exchange(checked_, 0);
    if (!is_new) {
        collect(input, arguments);
    }
    return {frame::kind::array, size};
}

// Reads the argument behind what has been checked. Gives an array when it is there, or why not.
frame frame_reader::next_bulk(std::string_view input, std::string_view& argument) {
    if (checked_ == input.size()) {
        needed_ = input.size() + 1;
        return {frame::kind::incomplete, 0};
    }
    if (input[checked_] != '$') {
        return fail(
            frame::kind::broken,
            input.size(),
            "Protocol error: expected '$', got '" + printable(input.substr(checked_, 1)) + "'");
    }
    const auto header = read_bulk_header(input, checked_);
    if (header.what == number_line::state::incomplete) {
        needed_ = input.size() + 1;
        return {frame::kind::incomplete, 0};
    }
    if (!is_length(header)) {
        return fail(frame::kind::broken, input.size(), "Protocol error: invalid bulk length");
    }
    const auto bytes = static_cast<std::size_t>(header.number);
    const auto end = header.end + bytes + 2;
    if (strict_ && bytes > limits_->stranger_bulk_bytes_max) {
        return refuse_stranger(input, "bulk length");
    }
    if (strict_ && end > limits_->stranger_request_bytes_max) {
        return refuse_stranger(input, "request length");
    }
    if (bytes > limits_->argument_bytes_max() || end > limits_->request_bytes_max()) {
        return begin_skipping(bytes, end);
    }
    if (input.size() < end) {
        needed_ = end;
        return {frame::kind::incomplete, 0};
    }
    if (input[end - 2] != '\r' || input[end - 1] != '\n') {
        return fail(frame::kind::broken, input.size(), "Protocol error: bulk without its CR LF");
    }
    argument = input.substr(header.end, bytes);
    checked_ = end;
    return {frame::kind::array, end};
}

// Reads the count. Gives an array, or why there is none.
frame frame_reader::begin_array(std::string_view input) {
    const auto header = read_number(input, 1);
    if (header.what == number_line::state::incomplete) {
        needed_ = input.size() + 1;
        return {frame::kind::incomplete, 0};
    }
    const auto count_max = static_cast<std::int64_t>(limits_->arguments_max);
    if (header.what == number_line::state::wrong || header.number > count_max) {
        return fail(frame::kind::broken, input.size(), "Protocol error: invalid multibulk length");
    }
    if (header.number <= 0) {
        return {frame::kind::empty, header.end};
    }
    if (strict_ && header.number > static_cast<std::int64_t>(limits_->stranger_arguments_max)) {
        return refuse_stranger(input, "multibulk length");
    }
    left_ = static_cast<std::size_t>(header.number);
    checked_ = header.end;
    return {frame::kind::array, header.end};
}

frame frame_reader::refuse_stranger(std::string_view input, const char* what) {
    return fail(
        frame::kind::broken, input.size(), std::string("Protocol error: unauthenticated ") + what);
}

// The arguments of an array that has come in several parts, and whose form is known.
void frame_reader::collect(std::string_view input, argument_list& arguments) {
    const auto count = read_number(input, 1);
    auto at = count.end;
    arguments.clear();
    for (auto left = count.number; left > 0; --left) {
        const auto header = read_bulk_header(input, at);
        const auto bytes = static_cast<std::size_t>(header.number);
        arguments.push_back(input.substr(header.end, bytes));
        at = header.end + bytes + 2;
    }
}

// What is too large is taken off the input as it comes, and refused at its end.
frame frame_reader::begin_skipping(std::uint64_t bytes, std::uint64_t end) {
    const bool argument = bytes > limits_->argument_bytes_max();
    const auto bytes_max = argument ? limits_->argument_bytes_max() : limits_->request_bytes_max();
    reason_ = (argument ? "argument of " : "request of at least ") +
              std::to_string(argument ? bytes : end) + " bytes is over the limit of " +
              std::to_string(bytes_max) + " bytes (--max-" + (argument ? "value)" : "request)");
    skipping_ = true;
    to_skip_ = end;
    --left_;
    checked_ = needed_ = 0;
    return {frame::kind::skipped, 0};
}

frame frame_reader::skip(std::string_view input) {
    needed_ = 1;
    if (input.empty()) {
        return {frame::kind::incomplete, 0};
    }
    if (to_skip_ > 0) {
        const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(to_skip_, input.size()));
        to_skip_ -= size;
        if (to_skip_ > 0 || left_ > 0) {
            return {frame::kind::skipped, size};
        }
        skipping_ = false;
        needed_ = 0;
        return {frame::kind::refused, size};
    }
    if (input.front() != '$') {
        return fail(frame::kind::broken, input.size(), "Protocol error: expected '$'");
    }
    const auto header = read_bulk_header(input, 0);
    if (header.what == number_line::state::incomplete) {
        needed_ = input.size() + 1;
        return {frame::kind::incomplete, 0};
    }
    if (!is_length(header)) {
        return fail(frame::kind::broken, input.size(), "Protocol error: invalid bulk length");
    }
    --left_;
    to_skip_ = header.end + static_cast<std::uint64_t>(header.number) + 2;
    return {frame::kind::skipped, 0};
}

}  // namespace butterdb
