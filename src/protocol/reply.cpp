#include <butterdb/protocol/quoting.hpp>
#include <butterdb/protocol/reply.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <string>

namespace butterdb {

namespace {

template <typename Integer>
void append_number(flat_buffer& out, Integer number) {
    std::array<char, 20> digits;  // 64 bits, sign included
    const auto end = std::to_chars(digits.begin(), digits.end(), number).ptr;
    out.append({digits.data(), static_cast<std::size_t>(end - digits.begin())});
}

}  // namespace

void reply_writer::line(std::string_view bytes) {
    out_->append(bytes);
    out_->append('\n');
}

void reply_writer::integer(std::int64_t number) {
    append_number(*out_, number);
    out_->append('\n');
}

void reply_writer::bulk(std::string_view value) {
    append_value(*out_, value);
    out_->append('\n');
}

void reply_writer::array(std::size_t count) {
    out_->append("LIST ");
    append_number(*out_, count);
    out_->append('\n');
}

void reply_writer::text(std::string_view lines) {
    array(static_cast<std::size_t>(std::ranges::count(lines, '\n')));
    out_->append(lines);
}

void reply_writer::failure(const error& why) {
    if (why.what == error::kind::form) {
        out_->append("INVALID ");
    } else {
        out_->append("ERROR ");
        out_->append(why.code);
        out_->append(' ');
    }
    line(why.text);
}

void reply_writer::deleted(std::size_t count, std::size_t asked) {
    if (asked == 1) {
        line(count == 1 ? "DELETED" : "NOT_FOUND");
    } else {
        integer(static_cast<std::int64_t>(count));
    }
}

void reply_writer::pong() {
    out_->append("+PONG\r\n");
}

}  // namespace butterdb
