#include "option_file.hpp"

#include "support/catch.hpp"

#include <cstddef>
#include <sstream>
#include <string>
#include <vector>

using namespace butterdb;

namespace {

// The lines as `number name [value][value]`.
std::string lines_of(const std::string& text) {
    std::istringstream input(text);
    std::string seen;
    for (const auto& line : read_option_lines(input)) {
        seen += std::to_string(line.number) + " " + line.name + " ";
        for (const auto& value : line.values) {
            seen += "[" + value + "]";
        }
        seen += "\n";
    }
    return seen;
}

}  // namespace

TEST_CASE("lines of a file of options are read with their numbers") {
    const auto [text, seen] = GENERATE(table<std::string, std::string>({
        {"", ""},
        {"a = 1", "1 a [1]\n"},
        {"\n # b\r\n\t a=1 # b\r\n", "3 a [1]\n"},
        {"a =", "1 a []\n"},
        {"a = \"\"", "1 a []\n"},
        {"a = b c#d", "1 a [b c]\n"},
        {"a = b=c", "1 a [b=c]\n"},
        {"a = \"b #'c\" # d", "1 a [b #'c]\n"},
        {"a = 'b \"c' ", "1 a [b \"c]\n"},
        {"a = b'c", "1 a [b'c]\n"},
        {"a = [b]", "1 a [b]\n"},
        {"a = [ b , \"c,]\" ,d ] # e\nf = 1", "1 a [b][c,]][d]\n2 f [1]\n"},
        {"\xef\xbb\xbf"
         "a = 1",
         "1 a [1]\n"},
    }));
    CAPTURE(text);
    CHECK(lines_of(text) == seen);
}

TEST_CASE("a line of a file of options that cannot be read is named") {
    const auto [text, number] = GENERATE(table<std::string, std::size_t>({
        {"a", 1},
        {"a = 1\n[b]", 2},
        {"a = \"b", 1},
        {"a = \"b\" c", 1},
        {"a = [b", 1},
        {"a = [b, c\n]", 1},
        {"a = [b] c", 1},
        {"a = [\"b\" c]", 1},
        {std::string(
             "\xff\xfe"
             "a\0",
             4),
         1},
        {"a = 1\n\xef\xbb\xbf", 2},
    }));
    CAPTURE(text);
    try {
        lines_of(text);
        FAIL("it was read");
    } catch (const option_line_error& why) {
        CHECK(why.number == number);
    }
}
