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

seen first_frame(std::string input, const limits& lim = limits()) {
    argument_list arguments;
    frame_reader frames(lim);
    const auto found = frames.next(input, arguments);
    return {found.what, found.size};
}

// All frames of some bytes that arrive in pieces of one size, up to what ends the connection.
std::string frames_of(const std::string& bytes, std::size_t step, const limits& lim = limits()) {
    using enum frame::kind;
    frame_reader frames(lim);
    argument_list arguments;
    std::string input;
    std::string seen;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
        const auto searched = input.size();
        input += bytes.substr(at, step);
        if (!frames.is_ready(input, searched)) {
            continue;
        }
        for (bool more = true; more;) {
            const auto found = frames.next(input, arguments);
            more = found.what != incomplete;
            if (found.what == line || found.what == array) {
                for (const auto each : arguments) {
                    seen.append("[").append(each).append("]");
                }
            } else if (found.what == malformed || found.what == broken || found.what == refused) {
                seen.append("!").append(frames.reason());
            }
            if (found.what == broken || found.what == foreign) {
                return seen + "#";
            }
            seen += found.what == incomplete || found.what == skipped ? "" : ";";
            input.erase(0, found.size);
        }
    }
    return seen;
}

}  // namespace

TEST_CASE("the first byte decides the framing") {
    using enum frame::kind;
    const auto [input, what] = GENERATE(table<std::string, frame::kind>({
        {"", incomplete},
        {"GET a", incomplete},
        {"GET a\r", incomplete},
        {"GET a\n", line},
        {" GET a\n", line},
        {"\n", empty},
        {"\r\n", empty},
        {"\r", incomplete},
        {"   \n", empty},
        {"\rGET a\n", foreign},
        {"\r\r\n", foreign},
        {"*", incomplete},
        {"*1\r\n$4\r\nPING\r\n", array},
        {"*1\r\n$4\r\nPING\r", incomplete},
        {"*0\r\n", empty},
        {"*-10\r\n", empty},
        {"*x\r\n", broken},
        {"\x16\x03\x01", foreign},
        {"\x80\x01", foreign},
        {"\xef\xbb\xbfGET a\n", foreign},
        {"\tGET a\n", line},
        {"\t\n", empty},
        {"\x7f", foreign},
        {"GET a\x01\n", malformed},
        {"GET a\rb\n", malformed},
        {"GET \"a\n", broken},
        {"GET / HTTP/1.0\r\n", foreign},
        {"PUT /x HTTP/1.1\n", foreign},
        {"GET / HTTP/1.2\r\n", line},
        {"POST\n", foreign},
        {"post /\r\n", foreign},
        {"POSTAL a\n", line},
        {"  POST /\n", foreign},
        {"Host: localhost\r\n", foreign},
        {"host:localhost\r\n", foreign},
        {"PUT k POST\n", line},
        {"User-Agent: curl/7.88.1\r\n", foreign},
        {"X-A:\n", foreign},
        {"PRI * HTTP/2.0\r\n", foreign},
        {"OPTIONS rtsp://localhost/a RTSP/1.0\r\n", foreign},
        {"INVITE sip:a@localhost SIP/2.0\r\n", foreign},
        {"HTTP/1.1 200 OK\r\n", foreign},
        {"EHLO localhost\r\n", foreign},
        {"helo localhost\r\n", foreign},
        {"LHLO localhost\r\n", foreign},
        {"SSH-2.0-OpenSSH_9.2\r\n", foreign},
        {"PROXY TCP4 127.0.0.1 127.0.0.1 5000 9090\r\n", foreign},
        {"PUT k RTSP/1.0\n", line},
        {"PUT k HTTP/2.0\n", line},
        {"put sip:k SIP/2.0\n", line},
        {"GET User-Agent:\n", line},
        {"PUT EHLO PROXY\n", line},
        {"SSHD a\n", line},
        {"FOO bar/1.0\n", line},
        {"FOO /1.0\n", line},
        {":\n", line},
        {"\"User-Agent:\" x\n", line},
    }));
    CAPTURE(input);
    CHECK(first_frame(input).what == what);
}

TEST_CASE("a NUL as first byte is foreign") {
    CHECK(first_frame(std::string(1, '\0')).what == frame::kind::foreign);
}

TEST_CASE("a frame takes its line and no more") {
    CHECK(first_frame("GET a\nGET b\n") == seen{frame::kind::line, 6});
    CHECK(first_frame("GET a\r\nGET b\n") == seen{frame::kind::line, 7});
    CHECK(first_frame("\r\nGET b\n") == seen{frame::kind::empty, 2});
}

TEST_CASE("a line of the longest length is read, one byte more is not") {
    const limits lim;
    const std::string longest(lim.line_bytes_max, 'x');
    using enum frame::kind;
    CHECK(first_frame(longest).what == incomplete);
    CHECK(first_frame(longest + "\r").what == incomplete);
    CHECK(first_frame(longest + "\n").what == line);
    CHECK(first_frame(longest + "\r\n").what == line);
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
    CHECK(first_frame(line + "\n").what == frame::kind::line);
    limits narrow;
    narrow.arguments_max = 3;
    CHECK(first_frame("DEL a b c\nPING\n", narrow) == seen{frame::kind::malformed, 10});
}

TEST_CASE("arrays and lines are read alike however they arrive") {
    const auto [bytes, expected] = GENERATE(table<std::string, std::string>({
        {"*2\r\n$3\r\nGET\r\n$1\r\na\r\nGET b\r\n*1\r\n$4\r\nPING\r\n",
         "[GET][a];[GET][b];[PING];"},
        {"*1\r\n$0\r\n\r\n\n*0\r\n*-1\r\nPING\n", "[];;;;[PING];"},
        {"*2\r\n$3\r\nGET\r\n$7\r\nx\r\ny\r\nz\r\n", "[GET][x\r\ny\r\nz];"},
        {"*3000000000\r\n", "!Protocol error: invalid multibulk length#"},
        {"*65537\r\n", "!Protocol error: invalid multibulk length#"},
        {"*1\r\n$-10\r\n", "!Protocol error: invalid bulk length#"},
        {"*1\r\n$2000000000\r\n", "!Protocol error: invalid bulk length#"},
        {"*1\r\n$blabla\r\n", "!Protocol error: invalid bulk length#"},
        {"*1\r\nfoo\r\n", "!Protocol error: expected '$', got 'f'#"},
        {"*1\r\n\x01\r\n", "!Protocol error: expected '$', got '.'#"},
        {"*1\r\n*1\r\n$4\r\nPING\r\n", "!Protocol error: expected '$', got '*'#"},
        {"*1\r\n$4\r\nPINGxx", "!Protocol error: bulk without its CR LF#"},
        {"*01\r\n", "!Protocol error: invalid multibulk length#"},
        {"*+1\r\n", "!Protocol error: invalid multibulk length#"},
        {"* 1\r\n", "!Protocol error: invalid multibulk length#"},
        {"*1 \r\n", "!Protocol error: invalid multibulk length#"},
        {"*\r\n", "!Protocol error: invalid multibulk length#"},
        {"*-0\r\n", "!Protocol error: invalid multibulk length#"},
        {"*1\rx", "!Protocol error: invalid multibulk length#"},
        {"*00000000000000000001\r\n", "!Protocol error: invalid multibulk length#"},
        {"*18446744073709551617\r\n", "!Protocol error: invalid multibulk length#"},
        {"*1\r\n$9223372036854775807\r\n", "!Protocol error: invalid bulk length#"},
        {"*1\r\n$18446744073709551615\r\n", "!Protocol error: invalid bulk length#"},
        {"*" + std::string(40, '1'), "!Protocol error: invalid multibulk length#"},
        {"*1\r\n$" + std::string(40, '1'), "!Protocol error: invalid bulk length#"},
        {"*2\r\n$3\r\nGET\r\n$1\r\na\r\n\x16\x03", "[GET][a];#"},
    }));
    CAPTURE(bytes);
    for (std::size_t step = 1; step <= bytes.size(); ++step) {
        REQUIRE(frames_of(bytes, step) == expected);
    }
}

TEST_CASE("an argument that is too long is skipped, refused at the end, and the next is read") {
    limits lim;
    lim.value_bytes_max = lim.key_bytes_max = 10;
    const std::string bytes =
        "*3\r\n$3\r\nSET\r\n$11\r\n01234567890\r\n$1\r\nv\r\n*1\r\n$4\r\nPING\r\n"
        "*2\r\n$4\r\nECHO\r\n$500\r\n" +
        std::string(500, 'x') + "\r\n";
    const std::string expected =
        "!argument of 11 bytes is over the limit of 10 bytes (--max-value);[PING];"
        "!argument of 500 bytes is over the limit of 10 bytes (--max-value);";
    for (std::size_t step = 1; step <= bytes.size(); ++step) {
        REQUIRE(frames_of(bytes, step, lim) == expected);
    }
    CHECK(frames_of("*2\r\n$11\r\n01234567890\r\nfoo", 1, lim).ends_with("expected '$'#"));
}

TEST_CASE("a request that is too long as a whole is skipped and refused") {
    limits lim;
    lim.value_bytes_max = lim.key_bytes_max = 100;
    lim.request_bytes = 100;
    const std::string bulk = "$40\r\n" + std::string(40, 'x') + "\r\n";
    const auto seen = frames_of("*4\r\n" + bulk + bulk + bulk + bulk + "PING\n", 7, lim);
    CHECK(
        seen ==
        "!request of at least 145 bytes is over the limit of 100 bytes (--max-request);[PING];");
}

TEST_CASE("reading stops exactly when there is something to do") {
    const limits lim;
    const frame_reader fresh(lim);
    CHECK_FALSE(fresh.is_ready("", 0));
    CHECK_FALSE(fresh.is_ready("GET a", 0));
    CHECK(fresh.is_ready("GET a\n", 0));
    CHECK(fresh.is_ready("GET a\n", 5));
    CHECK_FALSE(fresh.is_ready("GET a", 3));
    CHECK(fresh.is_ready("\x16", 0));
    CHECK(fresh.is_ready("*", 0));
    CHECK_FALSE(fresh.is_ready("\r", 0));
    CHECK(fresh.is_ready("\rx", 0));
    CHECK(fresh.is_ready("\rx", 1));
    CHECK(fresh.is_ready(std::string(lim.line_bytes_max + 2, 'x'), 100));
    frame_reader waiting(lim);
    argument_list arguments;
    std::string input = "*1\r\n$10\r\nabc";
    CHECK(waiting.next(input, arguments).what == frame::kind::incomplete);
    CHECK_FALSE(waiting.is_ready(std::string(20, 'x'), 12));
    CHECK(waiting.is_ready(std::string(21, 'x'), 12));
}
