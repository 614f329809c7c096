#include "support/catch.hpp"
#include <butterdb/protocol/frame.hpp>

#include <string>

using namespace butterdb;

namespace {

struct seen {
    frame::kind what;
    std::size_t size;
};

bool operator==(const seen& a, const seen& b) {
    return a.what == b.what && a.size == b.size;
}

seen first_frame(std::string input) {
    argument_list arguments;
    const auto found = next_frame(input, arguments, limits{});
    return {found.what, found.size};
}

}  // namespace

TEST_CASE("the first byte decides the framing") {
    using enum frame::kind;
    const auto [input, what] = GENERATE(table<std::string, frame::kind>({
        {"", incomplete},
        {"GET a", incomplete},
        {"GET a\r", incomplete},
        {"GET a\n", request},
        {" GET a\n", request},
        {"\n", empty},
        {"\r\n", empty},
        {"\r", incomplete},
        {"   \n", empty},
        {"\rGET a\n", foreign},
        {"\r\r\n", foreign},
        {"*", broken},
        {"*1\r\n$4\r\nPING\r\n", broken},
        {"\x16\x03\x01", foreign},
        {"\x80\x01", foreign},
        {"\xef\xbb\xbfGET a\n", foreign},
        {"\tGET a\n", foreign},
        {"\x7f", foreign},
        {"GET a\x01\n", malformed},
        {"GET a\rb\n", malformed},
        {"GET \"a\n", broken},
        {"GET / HTTP/1.0\r\n", foreign},
        {"PUT /x HTTP/1.1\n", foreign},
        {"GET / HTTP/1.2\r\n", request},
        {"POST\n", foreign},
        {"post /\r\n", foreign},
        {"POSTAL a\n", request},
        {"  POST /\n", foreign},
        {"Host: localhost\r\n", foreign},
        {"host:localhost\r\n", foreign},
        {"PUT k POST\n", request},
    }));
    CAPTURE(input);
    CHECK(first_frame(input).what == what);
}

TEST_CASE("a NUL as first byte is foreign") {
    CHECK(first_frame(std::string(1, '\0')).what == frame::kind::foreign);
}

TEST_CASE("a frame takes its line and no more") {
    CHECK(first_frame("GET a\nGET b\n") == seen{frame::kind::request, 6});
    CHECK(first_frame("GET a\r\nGET b\n") == seen{frame::kind::request, 7});
    CHECK(first_frame("\r\nGET b\n") == seen{frame::kind::empty, 2});
}

TEST_CASE("a line of the longest length is read, one byte more is not") {
    const limits lim;
    const std::string longest(lim.line_bytes_max, 'x');
    using enum frame::kind;
    CHECK(first_frame(longest).what == incomplete);
    CHECK(first_frame(longest + "\r").what == incomplete);
    CHECK(first_frame(longest + "\n").what == request);
    CHECK(first_frame(longest + "\r\n").what == request);
    CHECK(first_frame(longest + "x").what == broken);
    CHECK(first_frame(longest + "x\n").what == broken);
    CHECK(first_frame(longest + "x\r\n").what == broken);
    CHECK(first_frame(longest + "\rx").what == broken);
}

TEST_CASE("too many arguments are refused, and the next line is read") {
    const limits lim;
    std::string line;
    for (std::size_t i = 0; i < lim.line_bytes_max / 2; ++i) {
        line += "a ";
    }
    CHECK(first_frame(line + "\n").what == frame::kind::request);
    limits narrow;
    narrow.arguments_max = 3;
    argument_list arguments;
    std::string input = "DEL a b c\nPING\n";
    const auto found = next_frame(input, arguments, narrow);
    CHECK(found.what == frame::kind::malformed);
    CHECK(found.size == 10);
}

TEST_CASE("reading stops exactly when there is something to do") {
    CHECK_FALSE(frame_is_ready("", 0));
    CHECK_FALSE(frame_is_ready("GET a", 0));
    CHECK(frame_is_ready("GET a\n", 0));
    CHECK(frame_is_ready("GET a\n", 5));
    CHECK_FALSE(frame_is_ready("GET a", 3));
    CHECK(frame_is_ready("\x16", 0));
    CHECK(frame_is_ready("*", 0));
    CHECK_FALSE(frame_is_ready("\r", 0));
}
