#include "bench/dialect.hpp"

#include "support/catch.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace butterdb;
using namespace butterdb::bench;

namespace {

struct expectation {
    dialect spoken;
    std::string bytes;
    reply::kind what;
    std::string text;
};

const std::vector<expectation> expectations{
    {dialect::text, "OK\n", reply::kind::done, "OK"},
    {dialect::text, "DELETED\n", reply::kind::done, "DELETED"},
    {dialect::text, "NOT_FOUND\n", reply::kind::missing, "NOT_FOUND"},
    {dialect::text, "ERROR OOM full\n", reply::kind::failure, "ERROR OOM full"},
    {dialect::text, "abc\n", reply::kind::value, "abc"},
    {dialect::text, "LIST 2\na\nb\n", reply::kind::value, "LIST 2\na\nb"},
    {dialect::resp, "+OK\r\n", reply::kind::done, "OK"},
    {dialect::resp, ":0\r\n", reply::kind::done, "0"},
    {dialect::resp, "-ERR no\r\n", reply::kind::failure, "ERR no"},
    {dialect::resp, "$-1\r\n", reply::kind::missing, ""},
    {dialect::resp, "_\r\n", reply::kind::missing, ""},
    {dialect::resp, "$0\r\n\r\n", reply::kind::value, ""},
    {dialect::resp, "$4\r\na\r\nb\r\n", reply::kind::value, "a\r\nb"},
    {dialect::resp, "*2\r\n$1\r\na\r\n*1\r\n:1\r\n", reply::kind::done, ""},
    {dialect::resp, "%1\r\n+a\r\n:1\r\n", reply::kind::done, ""},
    {dialect::resp, "*-1\r\n", reply::kind::missing, ""},
    {dialect::memcache, "STORED\r\n", reply::kind::done, "STORED"},
    {dialect::memcache, "DELETED\r\n", reply::kind::done, "DELETED"},
    {dialect::memcache, "NOT_FOUND\r\n", reply::kind::missing, ""},
    {dialect::memcache, "END\r\n", reply::kind::missing, ""},
    {dialect::memcache, "VALUE k 0 3\r\nEND\r\nEND\r\n", reply::kind::value, "END"},
    {dialect::memcache,
     "SERVER_ERROR out of memory\r\n",
     reply::kind::failure,
     "SERVER_ERROR out of memory"},
};

std::string appended(auto append) {
    flat_buffer out;
    append(out);
    return std::string(out.view());
}

}  // namespace

TEST_CASE("replies are found whole, whatever is behind them, and not a byte before") {
    for (const auto& each : expectations) {
        CAPTURE(each.bytes);
        reply_splitter splitter(each.spoken);
        for (std::size_t bytes = 0; bytes < each.bytes.size(); ++bytes) {
            CHECK_FALSE(splitter.first(std::string_view(each.bytes).substr(0, bytes)));
        }
        const auto more = each.bytes + each.bytes;
        const auto found = splitter.first(more);
        REQUIRE(found);
        CHECK(found->what == each.what);
        CHECK(found->text == each.text);
        CHECK(found->bytes == each.bytes.size());
    }
}

TEST_CASE("what is no reply is an error") {
    for (const std::string bytes :
         {"hello\r\n",
          "$x\r\n",
          "$-2\r\n",
          "$99999999999\r\n",
          "\n",
          "*1\r\nx\r\n",
          ":1\n",
          "*4294967296\r\n*4294967296\r\n"}) {
        CAPTURE(bytes);
        CHECK_THROWS_AS(reply_splitter(dialect::resp).first(bytes), reply_error);
    }
    CHECK_THROWS_AS(
        reply_splitter(dialect::memcache).first("VALUE k 0 1\r\nabEND\r\n\r\n"), reply_error);
    CHECK_THROWS_AS(reply_splitter(dialect::memcache).first("VALUE k 0 x\r\n"), reply_error);
}

TEST_CASE("arrays within arrays are one reply, however deep") {
    std::string deep;
    for (int i = 0; i < 100'000; ++i) {
        deep += "*1\r\n";
    }
    reply_splitter splitter(dialect::resp);
    CHECK_FALSE(splitter.first(deep));
    deep += ":1\r\n";
    const auto found = splitter.first(deep + "+OK\r\n");
    REQUIRE(found);
    CHECK(found->bytes == deep.size());
}

TEST_CASE("an array that arrives in pieces is not read again from its start") {
    reply_splitter splitter(dialect::resp);
    std::string input = "*3\r\n$1\r\na\r\n*1\r\n:1\r\n";
    CHECK_FALSE(splitter.first(input));
    input.assign(input.size(), 'x');  // no reply begins like this
    const auto found = splitter.first(input + ":3\r\n+OK\r\n");
    REQUIRE(found);
    CHECK(found->bytes == input.size() + 4);
    const auto next = splitter.first("+OK\r\n");
    REQUIRE(next);
    CHECK(next->text == "OK");
}

TEST_CASE("a reply that is longer than the load allows is an error, whole or not") {
    constexpr std::size_t bytes_max = 100;
    const std::string letters(bytes_max, 'x');
    const std::vector<std::pair<dialect, std::string>> too_long{
        {dialect::text, letters + "x"},
        {dialect::text, letters + "\n"},
        {dialect::text, "LIST 99\n" + std::string(bytes_max, '\n')},
        {dialect::resp, "$99\r\n" + letters},
        {dialect::resp, "$94\r\n" + letters.substr(0, 94) + "\r\n"},
        {dialect::resp, "*2\r\n$90\r\n" + letters.substr(0, 90) + "\r\n:1\r\n"},
        {dialect::resp, "+" + letters},
        {dialect::memcache, "VALUE k 0 99\r\n" + letters},
    };
    for (const auto& [spoken, bytes] : too_long) {
        CAPTURE(bytes);
        CHECK_THROWS_AS(reply_splitter(spoken, bytes_max).first(bytes), reply_too_long);
        CHECK_NOTHROW(reply_splitter(spoken, bytes_max).first(bytes.substr(0, bytes_max)));
    }
}

TEST_CASE("a line of RESP or memcache that does not end is an error") {
    for (const auto spoken : {dialect::resp, dialect::memcache}) {
        const std::string line = "-" + std::string(reply_line_bytes_max - 3, 'x') + "\r\n";
        CHECK(reply_splitter(spoken).first(line));
        CHECK_FALSE(reply_splitter(spoken).first(line.substr(0, line.size() - 1)));
        CHECK_THROWS_AS(reply_splitter(spoken).first("x" + line), reply_error);
        CHECK_THROWS_AS(
            reply_splitter(spoken).first(std::string(reply_line_bytes_max, '+')), reply_error);
    }
}

TEST_CASE("requests are what each dialect writes") {
    CHECK(appended([](auto& out) { append_put(dialect::text, "k", "v", out); }) == "PUT k v\n");
    CHECK(appended([](auto& out) {
              append_put(dialect::resp, "k", "vv", out);
          }) == "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$2\r\nvv\r\n");
    CHECK(appended([](auto& out) {
              append_put(dialect::memcache, "k", "vv", out);
          }) == "set k 0 0 2\r\nvv\r\n");
    CHECK(appended([](auto& out) { append_get(dialect::memcache, "k", out); }) == "get k\r\n");
    CHECK(appended([](auto& out) { append_delete(dialect::text, "k", out); }) == "DEL k\n");
    const std::string_view words[] = {"ECHO", "a b"};
    CHECK(appended([&](auto& out) {
              append_command(dialect::text, words, out);
          }) == "ECHO \"a b\"\n");
    CHECK(appended([&](auto& out) {
              append_command(dialect::resp, words, out);
          }) == "*2\r\n$4\r\nECHO\r\n$3\r\na b\r\n");
}
