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

}  // namespace

// The buffer knows how long the output may become, so that it does not double beyond that.
char* reply_writer::room(std::size_t count) {
    return out_->prepare(count, bytes_max_);
}

void reply_writer::put(std::string_view bytes) {
    if (bytes.empty()) {
        return;
    }
    std::memcpy(room(bytes.size()), bytes.data(), bytes.size());
    out_->commit(bytes.size());
}

template <typename Integer>
void reply_writer::number_line(char kind, Integer value) {
    char* const begin = room(number_line_bytes_max);
    out_->commit(static_cast<std::size_t>(write_number_line(begin, kind, value) - begin));
}

void reply_writer::line(char kind, std::string_view bytes) {
    if (speaks_ == dialect::text) {
        put(bytes);
        put('\n');
    } else {
        put(kind);
        put(bytes);
        put(line_end);
    }
}

template <typename Integer>
void reply_writer::number(char kind, Integer value) {
    if (speaks_ == dialect::text) {
        std::array<char, number_line_bytes_max> digits;
        const auto end = std::to_chars(digits.begin(), digits.end(), value).ptr;
        line(kind, {digits.data(), static_cast<std::size_t>(end - digits.begin())});
    } else {
        number_line(kind, value);
    }
}

void reply_writer::open(char kind, std::size_t count) {
    if (speaks_ == dialect::text) {
        put("LIST ");
    }
    number(kind, count);
}

void reply_writer::integer(std::int64_t value) {
    number(':', value);
}

void reply_writer::bulk(std::string_view value) {
    if (speaks_ == dialect::text) {
        const auto size = shown_size_within_room(value);
        *write_value(room(size + 1), value, size) = '\n';
        out_->commit(size + 1);
        return;
    }
    check_room(value.size());
    char* const begin = room(number_line_bytes_max + value.size() + line_end.size());
    char* to = write_number_line(begin, '$', value.size());
    if (!value.empty()) {
        std::memcpy(to, value.data(), value.size());
    }
    to += value.size();
    *to++ = '\r';
    *to++ = '\n';
    out_->commit(static_cast<std::size_t>(to - begin));
}

void reply_writer::expect_room(std::string_view value) const {
    if (speaks_ == dialect::text) {
        shown_size_within_room(value);
    } else {
        check_room(value.size());
    }
}

// Reads no byte of a value that is too long even without quotes.
std::size_t reply_writer::shown_size_within_room(std::string_view value) const {
    check_room(value.size());
    if (steps_ != nullptr) {
        steps_->take(value.size() / 2);
    }
    const auto size = shown_size(value);
    check_room(size);
    return size;
}

void reply_writer::check_room(std::size_t bytes) const {
    if (out_->size() + bytes > bytes_max_) {
        throw reply_too_long();
    }
}

void reply_writer::null(std::string_view resp2) {
    if (speaks_ == dialect::text) {
        put("NOT_FOUND\n");
    } else {
        put(speaks_ == dialect::resp3 ? "_\r\n" : resp2);
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
    check_room(lines.size());
    if (speaks_ == dialect::resp3) {
        constexpr std::string_view format = "txt:";
        number_line('=', format.size() + lines.size());
        put(format);
        put(lines);
        put(line_end);
        return;
    }
    array(static_cast<std::size_t>(std::ranges::count(lines, '\n')));
    while (!lines.empty()) {
        const auto size = std::min(lines.find('\r'), lines.size());
        put(lines.substr(0, size));
        lines.remove_prefix(std::min(size + 1, lines.size()));
    }
}

void reply_writer::failure(const error& why) {
    if (errors_ != nullptr) {
        errors_->add(why.code);
    }
    if (speaks_ == dialect::text && why.what == error::kind::form) {
        put("INVALID ");
    } else {
        put(speaks_ == dialect::text ? "ERROR " : "-");
        put(why.code);
        put(' ');
    }
    put(why.text);
    put(speaks_ == dialect::text ? "\n" : line_end);
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
    put('+');
    put(word);
    put(line_end);
}

void reply_writer::farewell() {
    if (speaks_ != dialect::text) {
        status("OK");
    }
}

}  // namespace butterdb
