#include "support/catch.hpp"
#include <butterdb/protocol/quoting.hpp>

#include <random>
#include <string>
#include <vector>

using namespace butterdb;

namespace {

struct split {
    line_fault fault;
    std::vector<std::string> arguments;
};

split split_text(std::string line, std::size_t arguments_max = 100) {
    argument_list arguments;
    const auto fault = split_line(line, arguments, arguments_max);
    return {fault, {arguments.begin(), arguments.end()}};
}

std::string value_text(std::string_view value) {
    std::string text(shown_size(value), '?');
    const char* const end = write_value(text.data(), value, text.size());
    CHECK(end == text.data() + text.size());
    return text;
}

std::string argument_text(std::string_view argument) {
    flat_buffer out;
    append_argument(out, argument);
    return std::string(out.view());
}

using words = std::vector<std::string>;

}  // namespace

TEST_CASE("a line splits into arguments") {
    const auto [line, expected] = GENERATE(table<std::string, words>({
        {"", {}},
        {"  \t ", {}},
        {"GET a", {"GET", "a"}},
        {"  GET \t  a  ", {"GET", "a"}},
        {"PUT a \"x y\"", {"PUT", "a", "x y"}},
        {"PUT a 'x y'", {"PUT", "a", "x y"}},
        {"\"\" ''", {"", ""}},
        {R"("\x41\x7a\xZZ\x4")", {"AzxZZx4"}},
        {R"("\n\r\t\b\a\\\"\q")", {"\n\r\t\b\a\\\"q"}},
        {R"('\n\'\\x')", {"\\n'\\\\x"}},
        {R"(back\slash)", {"back\\slash"}},
        {"fo\"o b\"", {"foo b"}},
        {"a'b c' d", {"ab c", "d"}},
        {"\"tab\tin quotes\"", {"tab\tin quotes"}},
        {"\xff\x80 \xc3\xa4", {"\xff\x80", "\xc3\xa4"}},
        {"'\"' \"'\"", {"\"", "'"}},
    }));
    const auto seen = split_text(line);
    CAPTURE(line);
    CHECK(seen.fault == line_fault::none);
    CHECK(seen.arguments == expected);
}

TEST_CASE("a NUL inside quotes is an ordinary byte") {
    CHECK(split_text(std::string("\"a\0b\"", 5)).arguments == words{std::string("a\0b", 3)});
}

TEST_CASE("a line that cannot be split says why") {
    const auto [line, expected] = GENERATE(table<std::string, line_fault>({
        {"PUT a \"x", line_fault::unbalanced_quotes},
        {"PUT a 'x", line_fault::unbalanced_quotes},
        {"\"a\"b", line_fault::unbalanced_quotes},
        {"'a'b", line_fault::unbalanced_quotes},
        {"\"a\"\"b\"", line_fault::unbalanced_quotes},
        {"\"a\\\"", line_fault::unbalanced_quotes},
        {"\"a\\", line_fault::unbalanced_quotes},
        {"'a\\'", line_fault::unbalanced_quotes},
        {"\"", line_fault::unbalanced_quotes},
        {"GET a\rb", line_fault::control_byte},
        {"GET a\x0b", line_fault::control_byte},
        {"GET \x7f", line_fault::control_byte},
        {"GET \x1b[31m", line_fault::control_byte},
        {"1 2 3 4 5", line_fault::too_many_arguments},
    }));
    CAPTURE(line);
    CHECK(split_text(line, 4).fault == expected);
}

TEST_CASE("a NUL outside quotes is a control byte") {
    CHECK(split_text(std::string("GET a\0b", 7)).fault == line_fault::control_byte);
}

TEST_CASE("a value is bare only where nothing else looks like it") {
    const auto [value, expected] = GENERATE(table<std::string, std::string>({
        {"samarth", "samarth"},
        {"x y", "x y"},
        {"say \"hi\"", "say \"hi\""},
        {"back\\slash", "back\\slash"},
        {"\xc3\xa4", "\xc3\xa4"},
        {"OKAY", "OKAY"},
        {"ok", "ok"},
        {"LISTEN", "LISTEN"},
        {"", "\"\""},
        {"\"", R"("\"")"},
        {" x", "\" x\""},
        {"x ", "\"x \""},
        {"OK", "\"OK\""},
        {"OK then", "\"OK then\""},
        {"NOT_FOUND", "\"NOT_FOUND\""},
        {"DELETED", "\"DELETED\""},
        {"NOT_STORED", "\"NOT_STORED\""},
        {"+PONG", "\"+PONG\""},
        {"+OK", "\"+OK\""},
        {"+OK then", "\"+OK then\""},
        {"+OKAY", "+OKAY"},
        {"LIST 3", "\"LIST 3\""},
        {"INVALID x", "\"INVALID x\""},
        {"ERROR", "\"ERROR\""},
        {"a\nb", "\"a\\nb\""},
        {"a\tb", "\"a\\tb\""},
        {"\r\a\b\\\"\x1b\x7f\n", R"("\r\a\b\\\"\x1b\x7f\n")"},
    }));
    CHECK(value_text(value) == expected);
}

TEST_CASE("any bytes come back from what is written for them") {
    std::mt19937 random(3);
    for (int round = 0; round < 20'000; ++round) {
        std::string bytes(random() % 12, '\0');
        for (auto& byte : bytes) {
            // Half of all bytes from the few that matter.
            constexpr std::string_view special("\"'\\ \t\n\r\0x", 9);
            byte = random() % 2 == 0 ? special[random() % special.size()]
                                     : static_cast<char>(random() % 256);
        }
        CHECK(split_text(argument_text(bytes)).arguments == words{bytes});
        const auto shown = value_text(bytes);
        CHECK(shown.find('\n') == shown.npos);
        if (shown != bytes) {
            CHECK(split_text(shown).arguments == words{bytes});
        }
    }
}
