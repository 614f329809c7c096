#include "support/catch.hpp"
#include <butterdb/protocol/reply.hpp>
#include <butterdb/protocol/reply_reader.hpp>

#include <algorithm>
#include <limits>
#include <string>

using namespace butterdb;

namespace {

template <typename Write>
std::string written(Write write, dialect speaks = dialect::text) {
    flat_buffer out;
    reply_writer replies(out, speaks);
    write(replies);
    return std::string(out.view());
}

}  // namespace

TEST_CASE("replies are written in the text dialect") {
    using w = reply_writer;
    CHECK(written([](w& r) { r.status("OK"); }) == "OK\n");
    CHECK(written([](w& r) { r.integer(-7); }) == "-7\n");
    CHECK(written([](w& r) {
              r.integer(std::numeric_limits<std::int64_t>::min());
          }) == "-9223372036854775808\n");
    CHECK(written([](w& r) { r.bulk("a b"); }) == "a b\n");
    CHECK(written([](w& r) { r.bulk("LIST 1"); }) == "\"LIST 1\"\n");
    CHECK(written([](w& r) { r.null(); }) == "NOT_FOUND\n");
    CHECK(written([](w& r) { r.array(2); }) == "LIST 2\n");
    CHECK(written([](w& r) { r.text("# A\nb:1\n\n"); }) == "LIST 3\n# A\nb:1\n\n");
    CHECK(written([](w& r) { r.deleted(1, 1); }) == "DELETED\n");
    CHECK(written([](w& r) { r.deleted(0, 1); }) == "NOT_FOUND\n");
    CHECK(written([](w& r) { r.deleted(1, 2); }) == "1\n");
    CHECK(written([](w& r) { r.resp_status("PONG"); }) == "+PONG\r\n");
    CHECK(written([](w& r) { r.farewell(); }).empty());
    CHECK(written([](w& r) {
              r.failure({error::kind::form, "ERR", "syntax error"});
          }) == "INVALID syntax error\n");
    CHECK(written([](w& r) {
              r.failure({error::kind::refused, "OOM", "full"});
          }) == "ERROR OOM full\n");
}

TEST_CASE("replies are written as Redis clients read them") {
    using w = reply_writer;
    const auto both = [](auto write) {
        const auto two = written(write, dialect::resp2);
        const auto three = written(write, dialect::resp3);
        return two == three ? two : two + "|" + three;
    };
    CHECK(both([](w& r) { r.status("OK"); }) == "+OK\r\n");
    CHECK(both([](w& r) { r.integer(-7); }) == ":-7\r\n");
    CHECK(both([](w& r) { r.bulk("a\r\nb"); }) == "$4\r\na\r\nb\r\n");
    CHECK(both([](w& r) { r.bulk({}); }) == "$0\r\n\r\n");
    CHECK(both([](w& r) { r.null(); }) == "$-1\r\n|_\r\n");
    CHECK(both([](w& r) { r.null_array(); }) == "*-1\r\n|_\r\n");
    CHECK(both([](w& r) { r.array(2); }) == "*2\r\n");
    CHECK(both([](w& r) { r.map(2); }) == "*4\r\n|%2\r\n");
    CHECK(both([](w& r) { r.text("a\r\n"); }) == "$3\r\na\r\n\r\n|=7\r\ntxt:a\r\n\r\n");
    CHECK(both([](w& r) { r.deleted(1, 1); }) == ":1\r\n");
    CHECK(both([](w& r) { r.not_stored(); }) == "$-1\r\n|_\r\n");
    CHECK(both([](w& r) { r.resp_status("PONG"); }) == "+PONG\r\n");
    CHECK(both([](w& r) { r.farewell(); }) == "+OK\r\n");
    CHECK(both([](w& r) { r.failure({error::kind::form, "NOPROTO", "no"}); }) == "-NOPROTO no\r\n");
}

TEST_CASE("a value is measured as it is shown before anything is allocated for it") {
    const std::string value(1000, '\0');
    flat_buffer out;
    CHECK_THROWS_AS(reply_writer(out, dialect::text, 4001).bulk(value), reply_too_long);
    CHECK(out.capacity() == 0);
    reply_writer replies(out, dialect::text, 4002);
    replies.bulk(value);
    CHECK(out.size() == 4003);  // with its line end
    CHECK(out.capacity() == out.size());
    CHECK_THROWS_AS(reply_writer(out, dialect::text, 4002).expect_room(value), reply_too_long);
    step_budget steps;
    reply_writer counting(out, dialect::text, out.size() + 999, nullptr, &steps);
    CHECK_THROWS_AS(counting.bulk(value), reply_too_long);
    CHECK_THROWS_AS(counting.expect_room(value), reply_too_long);
    CHECK(steps.taken() == 0);  // too long even without quotes: not a byte is read
    CHECK_THROWS_AS(counting.expect_room(value.substr(1)), reply_too_long);
    CHECK(steps.taken() == 499);
}

TEST_CASE("errors are counted by their code") {
    flat_buffer out;
    error_counts errors;
    reply_writer replies(out, dialect::resp2, flat_buffer::size_most, &errors);
    replies.failure({error::kind::form, "ERR", "syntax error"});
    replies.failure({error::kind::refused, "OOM", "full"});
    replies.failure({error::kind::refused, "OOM", "full"});
    replies.status("OK");
    CHECK(errors.of("ERR") == 1);
    CHECK(errors.of("OOM") == 2);
    CHECK(errors.of("NOAUTH") == 0);
    CHECK(errors.total() == 3);
}

TEST_CASE("the reader finds where each reply ends, however the bytes arrive") {
    const std::string replies = "OK\nLIST 2\na\nLIST 2\nb\nc\n\"x\\ny\"\nLIST 0\n+PONG\r\n+OK\r\n";
    const std::vector<std::size_t> sizes{3, 20, 7, 7, 7, 5};
    for (std::size_t step = 1; step <= replies.size(); ++step) {
        std::string input;
        std::size_t taken = 0;
        std::vector<std::size_t> seen;
        reply_reader reader;
        for (std::size_t at = 0; at < replies.size(); at += step) {
            input += replies.substr(at, step);
            while (reader.look(std::string_view(input).substr(taken)) ==
                   reply_reader::status::complete) {
                seen.push_back(reader.size());
                taken += reader.size();
                reader.reset();
            }
        }
        CHECK(seen == sizes);
    }
}

TEST_CASE("the reader reads no byte of a list twice") {
    std::string input = "LIST 3\na\nb";
    reply_reader reader;
    CHECK(reader.look(input) == reply_reader::status::incomplete);
    std::fill(
        input.begin(), input.end(), 'x');  // no list and no line end is left to be found again
    input += '\n';
    CHECK(reader.look(input) == reply_reader::status::incomplete);
    input += "c\n";
    CHECK(reader.look(input) == reply_reader::status::complete);
    CHECK(reader.size() == input.size());
}

TEST_CASE("the reader refuses lists that no server of ours sends") {
    const std::string input = GENERATE(
        "LIST 99999999999999999999\n",
        "LIST -1\n",
        "LIST x\n",
        "LIST \n",
        "LIST 1 \n",
        "LIST 4294967296\nLIST 4294967296\n");
    reply_reader reader;
    CHECK(reader.look(input) == reply_reader::status::broken);
}

TEST_CASE("a refusal is told from a value") {
    CHECK(reply_reader::is_failure("INVALID x\n"));
    CHECK(reply_reader::is_failure("ERROR OOM x\n"));
    CHECK_FALSE(reply_reader::is_failure("\"ERROR x\"\n"));
    CHECK_FALSE(reply_reader::is_failure("ERRORS\n"));
    CHECK_FALSE(reply_reader::is_failure("+OK\r\n"));
}
