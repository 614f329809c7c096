#include "support/catch.hpp"
#include <butterdb/base/glob.hpp>

#include <cstdint>
#include <string>

using namespace butterdb;

namespace {

struct outcome {
    bool matches;
    std::uint64_t steps;
};

outcome match(const std::string& pattern, const std::string& text) {
    step_budget ignored;
    step_budget steps;
    const bool matches = glob(pattern, ignored).matches(text, steps);
    return {matches, steps.taken()};
}

}  // namespace

TEST_CASE("a pattern matches what it matches in Redis") {
    const auto [pattern, text, expected] = GENERATE(table<std::string, std::string, bool>({
        {"", "", true},
        {"", "a", false},
        {"*", "", true},
        {"*", "anything", true},
        {"**", "anything", true},
        {"user:*", "user:1", true},
        {"user:*", "user:", true},
        {"user:*", "use", false},
        {"user:*", "guest:1", false},
        {"*:1", "user:1", true},
        {"*:1", "user:1:name", false},
        {"*ab*ab", "ab", false},
        {"*ab*ab", "abab", true},
        {"*ab*ab", "aab-aab", true},
        {"?", "", false},
        {"?", "a", true},
        {"a?c", "abc", true},
        {"a?c", "ac", false},
        {"[abc]", "b", true},
        {"[abc]", "d", false},
        {"[^abc]", "d", true},
        {"[^abc]", "b", false},
        {"[c-a]", "b", true},
        {"[\x80-\x01]", "\xff", true},
        {"[\x80-\x01]", "b", false},
        {"[a\\]]", "]", true},
        {"[a", "a", true},
        {"[", "a", false},
        {"[^", "a", true},
        {"\\*", "*", true},
        {"\\*", "a", false},
        {"a\\", "a\\", true},
    }));
    CAPTURE(pattern, text);
    CHECK(match(pattern, text).matches == expected);
}

TEST_CASE("a pattern of any number of tokens matches across the words that hold its states") {
    const std::size_t tokens = GENERATE(1U, 62U, 63U, 64U, 65U, 127U, 128U, 129U, 1024U);
    CAPTURE(tokens);
    std::string text;
    for (std::size_t i = 0; i < tokens; ++i) {
        text += static_cast<char>('a' + i % 26);
    }
    CHECK(match(text, text).matches);
    CHECK(match("*" + text, "xyz" + text).matches);
    CHECK(match("*" + text + "*", "xyz" + text + "xyz").matches);
    CHECK_FALSE(match(text, text + "a").matches);
    CHECK_FALSE(match("*" + text, text + "-").matches);
    auto other = text;
    other.back() = '-';
    CHECK_FALSE(match(text, other).matches);
    CHECK(match(text.substr(0, tokens - 1) + "?", other).matches);
}

TEST_CASE("matching takes steps in proportion to the key, whatever the pattern") {
    const std::string key(64 * 1024, 'a');
    const auto pattern = GENERATE(
        std::string("*b"),
        "*" + std::string(1'000, 'a') + "b",
        std::string(1'000, 'a') + "*b",
        "*" + std::string(500, '?') + "b*",
        std::string("*[ab]*[ab]*[ab]*[ab]*c"),
        "*[" + std::string(1'000, 'a') + "]b");
    CAPTURE(pattern);
    const auto [matches, steps] = match(pattern, key);
    CHECK_FALSE(matches);
    CHECK(steps <= (1 + pattern.size() / 64) * key.size() + 1);
    CHECK(steps >= key.size());
}

TEST_CASE("matching looks at no more of a key than decides") {
    const std::string key = "user:" + std::string(1'000, 'x');
    CHECK(match("*", key).steps == 1);
    CHECK(match("user:*", key).steps == 6);
    CHECK(match("guest:*", key).steps == 2);
    CHECK(match("user:1", key).steps == 1);
    CHECK(match("*" + std::string(1'100, '?'), key).steps == 1);
}

TEST_CASE("the table of a pattern is counted too") {
    step_budget none;
    glob("*", none);
    CHECK(none.taken() < 10);
    step_budget some;
    glob("user:*", some);
    CHECK(some.taken() > 2'048 / 64);
    step_budget many;
    glob(std::string(1'024, '?'), many);
    CHECK(many.taken() > 200'000);
    CHECK(many.taken() < 400'000);
}
