#include "support/catch.hpp"
#include <butterdb/protocol/verbs.hpp>

#include <set>
#include <string>
#include <variant>
#include <vector>

using namespace butterdb;

namespace {

result<command::any> parse_words(const std::vector<std::string_view>& words) {
    const auto row = find_command(words);
    if (!row) {
        return row.error();
    }
    return (*row)->parse(words);
}

}  // namespace

TEST_CASE("every verb is found in any case, and nothing else is") {
    std::set<std::string_view> names;
    for (const auto& row : verbs()) {
        CAPTURE(row.name);
        CHECK(names.insert(row.name).second);
        CHECK(find_verb(row.name) == &row);
        std::string lower(row.name);
        for (auto& c : lower) {
            c = static_cast<char>(c | 0x20);
        }
        CHECK(find_verb(lower) == &row);
        CHECK(find_verb(lower + "x") == nullptr);
        CHECK(find_verb(lower.substr(0, lower.size() - 1)) != &row);
        CHECK(row.usage.substr(0, row.name.size()) == row.name);
        CHECK(row.arguments_min <= row.arguments_max);
    }
    CHECK(find_verb("") == nullptr);
    CHECK(find_verb(std::string(1000, 'G')) == nullptr);
}

TEST_CASE("every verb is of a group that Redis has, and one without keys names none") {
    const std::set<std::string_view> groups{
        "string",
        "generic",
        "transactions",
        "connection",
        "server",
        "scripting",
        "set",
        "hash",
        "sorted-set"};
    for (const auto& row : verbs()) {
        CAPTURE(row.name);
        CHECK(groups.contains(row.group));
        CHECK((row.keys.first == 0) == (row.keys.step == 0));
    }
}

TEST_CASE("every verb refuses an arity out of its bounds") {
    for (const auto& row : verbs()) {
        CAPTURE(row.name);
        std::vector<std::string_view> words(row.arguments_min, "x");
        words[0] = row.name;
        if (row.arguments_min > 1) {
            words.pop_back();
            CHECK_FALSE(parse_words(words).has_value());
        }
        if (row.arguments_max != any_number) {
            words.assign(row.arguments_max + 1, "x");
            words[0] = row.name;
            CHECK_FALSE(parse_words(words).has_value());
        }
    }
}

TEST_CASE("parse gives the command that was meant") {
    const auto put = parse_words({"put", "k", "v"});
    REQUIRE(put.has_value());
    CHECK(std::get<command::set>(*put).key == "k");
    CHECK(std::get<command::set>(*put).value == "v");

    const auto del = parse_words({"DEL", "a", "b"});
    REQUIRE(del.has_value());
    CHECK(std::get<command::del>(*del).keys.size() == 2);

    const auto ping = parse_words({"PING"});
    REQUIRE(ping.has_value());
    CHECK_FALSE(std::get<command::ping>(*ping).has_message);
}

TEST_CASE("parse says why a request means nothing") {
    CHECK(parse_words({"FOO", "a"}).error().text == "unknown command 'FOO'");
    CHECK(parse_words({"get"}).error().text == "wrong number of arguments for 'get' command");
    CHECK(parse_words({"PUT", "k", "v", "w"}).error().text == "syntax error");
    CHECK(parse_words({"FLUSHALL", "NOW"}).error().text == "syntax error");
}

TEST_CASE("an error repeats little of what the client sent, and no control character") {
    const auto why = parse_words({std::string(1000, 'A') + "\r\n"}).error();
    CHECK(why.text.size() < 200);
    CHECK(parse_words({"A\r\n+OK\x1b"}).error().text.starts_with("unknown command 'A..+OK.'"));
}
