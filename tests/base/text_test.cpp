#include "support/catch.hpp"
#include <butterdb/base/text.hpp>

#include <string>

using namespace butterdb;

TEST_CASE("characters that are safe on a terminal are not escaped") {
    const auto text = GENERATE(
        as<std::string>{},
        "",
        "plain ~",
        "\xc2\xa0",           // U+00A0, the first after the controls
        "\xc3\xa4",           // a letter of two bytes
        "\xe2\x82\xac",       // three
        "\xf0\x9f\xa7\x88",   // four
        "\xe2\x80\x8d",       // U+200D joins emoji
        "\xe2\x80\xaf",       // U+202F, next to the direction controls
        "\xe2\x81\xaa",       // U+206A, next to the isolates
        "\xf4\x8f\xbf\xbf",   // U+10FFFF
        "\xd7\xa9\xd7\x9c");  // Hebrew letters
    CAPTURE(text);
    CHECK(is_terminal_safe(text));
    CHECK(escape_for_terminal(text) == text);
}

TEST_CASE("bytes that could control a terminal are escaped") {
    const auto [text, expected] = GENERATE(table<std::string, std::string>({
        {std::string("\0", 1), R"(\x00)"},
        {"a\x1b[31mb", R"(a\x1b[31mb)"},
        {"\t\n\r", R"(\x09\x0a\x0d)"},
        {"\x7f", R"(\x7f)"},
        {"\xc2\x80", R"(\xc2\x80)"},  // U+0080 and U+009F, the C1 controls
        {"\xc2\x9b"
         "1m",
         R"(\xc2\x9b1m)"},
        {"\xc2\x9f", R"(\xc2\x9f)"},
        {"\xd8\x9c", R"(\xd8\x9c)"},          // U+061C
        {"\xe2\x80\x8e", R"(\xe2\x80\x8e)"},  // U+200E
        {"\xe2\x80\x8f", R"(\xe2\x80\x8f)"},  // U+200F
        {"\xe2\x80\xaa", R"(\xe2\x80\xaa)"},  // U+202A
        {"\xe2\x80\xae", R"(\xe2\x80\xae)"},  // U+202E
        {"\xe2\x81\xa6", R"(\xe2\x81\xa6)"},  // U+2066
        {"\xe2\x81\xa9", R"(\xe2\x81\xa9)"},  // U+2069
        {"\xff", R"(\xff)"},
        {"\x9b", R"(\x9b)"},  // alone, and in forms longer than needed
        {"\xc0\x9b", R"(\xc0\x9b)"},
        {"\xe0\x80\x9b", R"(\xe0\x80\x9b)"},
        {"\xc1\x81", R"(\xc1\x81)"},
        {"\xe0\x83\xa4", R"(\xe0\x83\xa4)"},
        {"\xf0\x82\x82\xac", R"(\xf0\x82\x82\xac)"},
        {"\xf0\x80\x80\x9b", R"(\xf0\x80\x80\x9b)"},
        {"\xed\xa0\x80", R"(\xed\xa0\x80)"},          // a surrogate
        {"\xf4\x90\x80\x80", R"(\xf4\x90\x80\x80)"},  // over U+10FFFF
        {"\xf8\x88\x80\x80\x80", R"(\xf8\x88\x80\x80\x80)"},
        {"\xc3", R"(\xc3)"},  // cut short
        {"\xe2\x82", R"(\xe2\x82)"},
        {"\xc3z", R"(\xc3z)"},
        {"\xe2\xc3\xa4", "\\xe2\xc3\xa4"},
    }));
    CAPTURE(expected);
    CHECK_FALSE(is_terminal_safe(text));
    CHECK(escape_for_terminal(text) == expected);
}
