#include "option_file.hpp"

#include <butterdb/base/text.hpp>

#include <algorithm>
#include <string_view>

namespace butterdb {

namespace {

constexpr std::string_view blanks = " \t\r";

std::string_view trimmed(std::string_view text) {
    const auto begin = std::min(text.find_first_not_of(blanks), text.size());
    text.remove_prefix(begin);
    return text.substr(0, text.find_last_not_of(blanks) + 1);
}

class line_parser {
public:
    line_parser(std::size_t number, std::string_view line)
        : number_(number), rest_(trimmed(line)) {}

    /// True when there is nothing but a comment.
    bool is_empty() const { return rest_.empty() || rest_.front() == '#'; }

    option_line parse() {
        if (rest_.front() == '[') {
            fail("there are no sections: a line is NAME = VALUE");
        }
        const auto equals = rest_.find('=');
        const auto name = trimmed(rest_.substr(0, equals));
        if (equals == rest_.npos) {
            fail(std::string("'")
                     .append(printable(name))
                     .append("' has no '=': a line is NAME = VALUE"));
        }
        option_line parsed{number_, std::string(name), {}};
        rest_ = trimmed(rest_.substr(equals + 1));
        if (rest_.starts_with('[')) {
            parsed.values = take_list();
        } else {
            parsed.values.push_back(take_value("#"));
        }
        if (!is_empty()) {
            fail(std::string("nothing may follow the value, such as '")
                     .append(printable(rest_))
                     .append("'"));
        }
        return parsed;
    }

private:
    [[noreturn]] void fail(const std::string& reason) const {
        throw option_line_error(number_, reason);
    }

    void skip(std::size_t bytes) { rest_ = trimmed(rest_.substr(bytes)); }

    // A value without quotes ends before one of `ends`, of which `#` begins a comment.
    std::string take_value(std::string_view ends) {
        const char quote = rest_.empty() ? '\0' : rest_.front();
        if (quote == '"' || quote == '\'') {
            const auto end = rest_.find(quote, 1);
            if (end == rest_.npos) {
                fail("a quote does not end");
            }
            std::string value(rest_.substr(1, end - 1));
            skip(end + 1);
            return value;
        }
        const auto end = std::min(rest_.find_first_of(ends), rest_.size());
        std::string value(trimmed(rest_.substr(0, end)));
        skip(end);
        return value;
    }

    std::vector<std::string> take_list() {
        std::vector<std::string> values;
        char end = '[';
        while (end != ']') {
            skip(1);
            values.push_back(take_value("#,]"));
            end = rest_.empty() ? '\0' : rest_.front();
            if (end != ',' && end != ']') {
                fail("a list, [VALUE, VALUE], does not end on its line");
            }
        }
        skip(1);
        return values;
    }

    std::size_t number_;
    std::string_view rest_;
};

// Editors of Windows put one at the front.
void skip_byte_order_mark(std::string& first_line) {
    constexpr std::string_view utf8 = "\xef\xbb\xbf";
    if (first_line.starts_with("\xff\xfe") || first_line.starts_with("\xfe\xff")) {
        throw option_line_error(1, "the file is in UTF-16; it has to be in UTF-8");
    }
    if (first_line.starts_with(utf8)) {
        first_line.erase(0, utf8.size());
    }
}

}  // namespace

std::vector<option_line> read_option_lines(std::istream& input) {
    std::vector<option_line> lines;
    std::string line;
    for (std::size_t number = 1; std::getline(input, line); ++number) {
        if (number == 1) {
            skip_byte_order_mark(line);
        }
        line_parser parser(number, line);
        if (!parser.is_empty()) {
            lines.push_back(parser.parse());
        }
    }
    return lines;
}

}  // namespace butterdb
