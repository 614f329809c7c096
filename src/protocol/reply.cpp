#include <butterdb/protocol/quoting.hpp>
#include <butterdb/protocol/reply.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <string>

namespace butterdb {

namespace {

constexpr std::string_view line_end = "\r\n";

// The longest line with a number: a kind, 64 bits with a sign, CR LF.
constexpr std::size_t number_line_bytes_max = 24;

// Writes `kind`, a number, CR LF behind `to`; gives the end.
template <typename Integer>
char* write_number_line(char* to, char kind, Integer number) noexcept {
    *to++ = kind;
    if (number >= 10 && number < 100) {  // as most lengths are
        *to++ = static_cast<char>('0' + number / 10);
        *to++ = static_cast<char>('0' + number % 10);
    } else {
        to = std::to_chars(to, to + number_line_bytes_max, number).ptr;
    }
    *to++ = '\r';
    *to++ = '\n';
    return to;
}

template <typename Integer>
void append_number_line(flat_buffer& out, char kind, Integer number) {
    char* const begin = out.prepare(number_line_bytes_max);
    out.commit(static_cast<std::size_t>(write_number_line(begin, kind, number) - begin));
}

}  // namespace

void reply_writer::line(char kind, std::string_view bytes) {
    if (speaks_ == dialect::text) {
        out_->append(bytes);
        out_->append('\n');
    } else {
        out_->append(kind);
        out_->append(bytes);
        out_->append(line_end);
    }
}

template <typename Integer>
void reply_writer::number(char kind, Integer value) {
    if (speaks_ == dialect::text) {
        std::array<char, number_line_bytes_max> digits;
        const auto end = std::to_chars(digits.begin(), digits.end(), value).ptr;
        line(kind, {digits.data(), static_cast<std::size_t>(end - digits.begin())});
    } else {
        append_number_line(*out_, kind, value);
    }
}

void reply_writer::open(char kind, std::size_t count) {
    if (speaks_ == dialect::text) {
        out_->append("LIST ");
    }
    number(kind, count);
}

void reply_writer::integer(std::int64_t value) {
    number(':', value);
}

void reply_writer::bulk(std::string_view value) {
    expect_room(value.size());
    if (speaks_ == dialect::text) {
        append_value(*out_, value);
        out_->append('\n');
        return;
    }
    char* const begin = out_->prepare(number_line_bytes_max + value.size() + line_end.size());
    char* to = write_number_line(begin, '$', value.size());
    if (!value.empty()) {
        std::memcpy(to, value.data(), value.size());
    }
    to += value.size();
    *to++ = '\r';
    *to++ = '\n';
    out_->commit(static_cast<std::size_t>(to - begin));
}

void reply_writer::expect_room(std::size_t bytes) const {
    if (out_->size() + bytes > bytes_max_) {
        throw reply_too_long();
    }
}

void reply_writer::null(std::string_view resp2) {
    if (speaks_ == dialect::text) {
        out_->append("NOT_FOUND\n");
    } else {
        out_->append(speaks_ == dialect::resp3 ? "_\r\n" : resp2);
    }
}

void reply_writer::map(std::size_t count) {
    if (speaks_ == dialect::resp3) {
        open('%', count);
    } else {
        open('*', 2 * count);
    }
}

void reply_writer::text(std::string_view lines) {
    if (speaks_ == dialect::resp2) {
        bulk(lines);
        return;
    }
    expect_room(lines.size());
    if (speaks_ == dialect::resp3) {
        constexpr std::string_view format = "txt:";
        append_number_line(*out_, '=', format.size() + lines.size());
        out_->append(format);
        out_->append(lines);
        out_->append(line_end);
        return;
    }
    array(static_cast<std::size_t>(std::ranges::count(lines, '\n')));
    for (const char c : lines) {
        if (c != '\r') {
            out_->append(c);
        }
    }
}

void reply_writer::failure(const error& why) {
    if (speaks_ == dialect::text && why.what == error::kind::form) {
        out_->append("INVALID ");
    } else {
        out_->append(speaks_ == dialect::text ? "ERROR " : "-");
        out_->append(why.code);
        out_->append(' ');
    }
    out_->append(why.text);
    out_->append(speaks_ == dialect::text ? "\n" : line_end);
}

void reply_writer::deleted(std::size_t count, std::size_t asked) {
    if (speaks_ == dialect::text && asked == 1) {
        status(count == 1 ? "DELETED" : "NOT_FOUND");
    } else {
        integer(static_cast<std::int64_t>(count));
    }
}

void reply_writer::not_stored() {
    if (speaks_ == dialect::text) {
        status("NOT_STORED");
    } else {
        null();
    }
}

void reply_writer::resp_status(std::string_view word) {
    out_->append('+');
    out_->append(word);
    out_->append(line_end);
}

void reply_writer::farewell() {
    if (speaks_ != dialect::text) {
        status("OK");
    }
}

}  // namespace butterdb
