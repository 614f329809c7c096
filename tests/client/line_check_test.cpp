#include "tools/client/line_check.hpp"

#include "support/catch.hpp"

#include <string>

using namespace butterdb;

namespace {

constexpr std::uint64_t long_enough = 100;

std::string objection_to(std::string_view line, std::uint64_t line_bytes_max = long_enough) {
    line_check check;
    const bool refused = check.check(line, line_bytes_max) == line_check::verdict::refused;
    return refused ? check.objection() : "";
}

}  // namespace

TEST_CASE("a line that would end the connection is refused, and the objection names the remedy") {
    const auto [line, remedy] = GENERATE(table<std::string, std::string>({
        {"GET \"abc", "a quote is not closed"},
        {"GET 'abc", "a quote is not closed"},
        {"GET \"a\"b", "no blank follows a closing quote"},
        {"GET \"abc\r", "a quote is not closed"},
        {"*1", "begins a request in RESP"},
        {"PUT /x HTTP/1.1", "put quotes around HTTP/1.0 and HTTP/1.1"},
        {"PUT /x HTTP/1.0\r", "put quotes around HTTP/1.0 and HTTP/1.1"},
        {"POST / HTTP/1.1", "it is no command, and looks like"},
        {"post /", "it is no command, and looks like"},
        {"User-Agent: x", "it is no command, and looks like"},
        {"DESCRIBE x RTSP/1.0", "it is no command, and looks like"},
        {"Host: HTTP/1.2", "it is no command, and looks like"},
        {"\xc3\xa4 HTTP/1.2", "a command begins with a letter"},
        {"\x1b[A", "a command begins with a letter"},
        {"\rGET a", "a command begins with a letter"},
        {"HELLO 3", "replies would no longer be lines"},
        {std::string(101, 'x'), "is longer than the server takes, 100 bytes (--max-line"},
    }));
    CAPTURE(line);
    const auto objection = objection_to(line);
    CHECK(objection.find(remedy) != objection.npos);
    // The remedy for long lines is for long lines.
    CHECK((objection.find("redis-cli -x") != objection.npos) == (line.size() > long_enough));
}

TEST_CASE("the length of a line is its bytes without CR") {
    CHECK(objection_to(std::string(100, 'x')).empty());
    CHECK(objection_to(std::string(100, 'x') + "\r").empty());
    CHECK_FALSE(objection_to(std::string(101, 'x')).empty());
}

TEST_CASE("a request is known by its command, as the server reads it") {
    line_check check;
    CHECK(check.check("  \r", long_enough) == line_check::verdict::blank);
    CHECK(check.check("\"ex\\x65c\" a", long_enough) == line_check::verdict::request);
    CHECK(check.command() == "EXEC");
    CHECK(check.arguments().size() == 2);
    CHECK(check.check("NONSENSE", long_enough) == line_check::verdict::request);
    CHECK(check.command().empty());
    // The server answers INVALID to a control character, and goes on.
    CHECK(check.check("EXEC \x01", long_enough) == line_check::verdict::request);
    CHECK(check.command().empty());
    CHECK(check.arguments().empty());
}
