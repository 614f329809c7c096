#include "tools/client/reply_text.hpp"

#include "support/catch.hpp"
#include <butterdb/protocol/reply_reader.hpp>

#include <string>

using namespace butterdb;

namespace {

std::string printed(reply_text::form form, std::string_view line) {
    reply_text replies(form);
    const auto with_end = std::string(line) + "\n";
    return std::string(replies.of(with_end).value_or("(nothing)"));
}

}  // namespace

TEST_CASE("a line of a reply is printed as the form asks") {
    using enum reply_text::form;
    const auto [line, in_quotes, bytes, on_terminal] =
        GENERATE(table<std::string, std::string, std::string, std::string>({
            {"OK", "OK", "OK", "OK"},
            {"", "", "", ""},
            {"x y", "x y", "x y", "x y"},
            {"LIST 2", "LIST 2", "(nothing)", "(nothing)"},
            {R"("LIST 2")", R"("LIST 2")", "LIST 2", "LIST 2"},
            {R"("a\nb\tc")", R"("a\nb\tc")", "a\nb\tc", "a\nb\tc"},
            {R"("\x1b[31m\r")", R"("\x1b[31m\r")", "\x1b[31m\r", R"(\x1b[31m\x0d)"},
            {"a\x1b[31m", R"("a\x1b[31m")", "a\x1b[31m", R"(a\x1b[31m)"},
            {"\xc2\x9b\"\\", R"("\xc2\x9b\"\\")", "\xc2\x9b\"\\", R"(\xc2\x9b"\)"},
            {"\"\xe2\x80\xae\\n\"", R"("\xe2\x80\xae\n")", "\xe2\x80\xae\n", "\\xe2\\x80\\xae\n"},
            {"\"\\\xc2\x9b\"", R"("\xc2\x9b")", "\xc2\x9b", R"(\xc2\x9b)"},
            {"\xc3\xa4", "\xc3\xa4", "\xc3\xa4", "\xc3\xa4"},
            {"\xe4", R"("\xe4")", "\xe4", R"(\xe4)"},
            {"ERROR ERR \x1b", R"(ERROR ERR \x1b)", "ERROR ERR \x1b", R"(ERROR ERR \x1b)"},
            {"-ERR \x1b\r", R"(-ERR \x1b)", "-ERR \x1b", R"(-ERR \x1b)"},
            {"+PONG\r", "+PONG", "+PONG", "+PONG"},
            {"INVALID \xc2\x9b", R"(INVALID \xc2\x9b)", "INVALID \xc2\x9b", R"(INVALID \xc2\x9b)"},
        }));
    CAPTURE(line);
    CHECK(printed(quoted, line) == in_quotes);
    CHECK(printed(raw, line) == bytes);
    CHECK(printed(raw_on_terminal, line) == on_terminal);
}

TEST_CASE("a value that is not one quoted argument cannot be decoded") {
    const auto line =
        GENERATE(as<std::string>{}, "\"", "\"a\"b", "\"a\" b", "\"a\" \"b\"", "\"a\\\"");
    CAPTURE(line);
    CHECK_THROWS_AS(printed(reply_text::form::raw, line), reply_error);
    CHECK_THROWS_AS(printed(reply_text::form::raw_on_terminal, line), reply_error);
}
