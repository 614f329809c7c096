#include "bench/workload.hpp"

#include "support/catch.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

using namespace butterdb;
using namespace butterdb::bench;

namespace {

using enum request_kind::effect;

request_kind kind(request_kind::effect what, std::uint64_t weight = 1) {
    request_kind made;
    made.what = what;
    made.weight = weight;
    return made;
}

std::string next_line(request_stream& stream) {
    flat_buffer out;
    stream.append_next(out);
    return std::string(out.view());
}

std::string key_of(const std::string& line) {
    const auto begin = line.find(' ') + 1;
    return line.substr(begin, line.find_first_of(" \n", begin) - begin);
}

std::string value_of(const std::string& line) {
    const auto begin = line.rfind(' ') + 1;
    return line.substr(begin, line.size() - begin - 1);
}

// A server's store, behind a stream of the text dialect.
class toy_server {
public:
    explicit toy_server(const request_plan& plan, std::uint64_t client = 0)
        : stream(plan, client) {}

    outcome step() {
        const auto line = next_line(stream);
        const auto key = key_of(line);
        if (line.starts_with("PUT")) {
            values[key] = value_of(line);
            return stream.judge({reply::kind::done, "OK", 3});
        }
        const auto found = values.find(key);
        const bool is_there = found != values.end();
        if (line.starts_with("DEL")) {
            values.erase(key);
            return stream.judge(
                {is_there ? reply::kind::done : reply::kind::missing, "DELETED", 8});
        }
        return is_there ? stream.judge({reply::kind::value, found->second, 1})
                        : stream.judge({reply::kind::missing, {}, 1});
    }

    request_stream stream;
    std::map<std::string, std::string> values;
};

}  // namespace

TEST_CASE("a stream has the mix and the sizes that were asked for") {
    workload work;
    work.key_bytes = 20;
    work.sizes.ranges = {{33, 33, 1}};
    const request_plan plan(work, 1);
    request_stream stream(plan, 0);
    int puts = 0;
    int dels = 0;
    for (int i = 0; i < 10'000; ++i) {
        const auto line = next_line(stream);
        puts += line.starts_with("PUT ") ? 1 : 0;
        dels += line.starts_with("DEL ") ? 1 : 0;
        REQUIRE(line.size() == (line[0] == 'P' ? 4 + 20 + 1 + 33 + 1U : 4 + 20 + 1U));
    }
    CHECK(std::abs(puts - 5000) < 300);
    CHECK(std::abs(dels - 1000) < 200);
}

TEST_CASE("sizes of values come from their ranges, as often as their weights say") {
    workload work;
    work.kinds = {kind(put)};
    work.sizes.ranges = {{10, 12, 9}, {1'000, 1'000, 1}};
    const request_plan plan(work, 1);
    request_stream stream(plan, 0);
    std::map<std::size_t, int> seen;
    for (int i = 0; i < 10'000; ++i) {
        ++seen[value_of(next_line(stream)).size()];
    }
    CHECK(seen.size() == 4);
    CHECK(std::abs(seen[1'000] - 1'000) < 150);
    CHECK(std::abs(seen[11] - 3'000) < 250);
}

TEST_CASE("keys are as many and as different as was said") {
    workload work;
    work.kinds = {kind(get)};
    work.keys = 100;
    work.key_bytes = GENERATE(2U, 8U, 40U);
    const request_plan plan(work, 1);
    request_stream stream(plan, 0);
    std::set<std::string> seen;
    for (int i = 0; i < 5000; ++i) {
        seen.insert(next_line(stream));
    }
    CHECK(seen.size() == 100);
    CHECK(keys_possible(2) == 676);
}

TEST_CASE("keys are chosen by their distribution") {
    workload work;
    work.kinds = {kind(get)};
    work.keys = 1'000;
    const auto counts = [&](std::uint64_t clients, std::uint64_t client) {
        const request_plan plan(work, clients);
        request_stream stream(plan, client);
        std::map<std::string, int> seen;
        for (int i = 0; i < 20'000; ++i) {
            ++seen[next_line(stream)];
        }
        std::vector<int> sorted;
        for (const auto& [key, count] : seen) {
            sorted.push_back(count);
        }
        std::ranges::sort(sorted, std::greater());
        return sorted;
    };
    SECTION("zipf: the second key half as often as the first, about") {
        work.choice.what = key_choice::shape::zipf;
        const auto seen = counts(1, 0);
        CHECK(std::abs(seen[0] - 2'660) < 300);  // 20,000 / zeta(1,000, 0.99)
        CHECK(std::abs(seen[1] - seen[0] / 2) < 200);
        CHECK(seen.size() > 800);
    }
    SECTION("hot: nine tenths of the requests to a tenth of the keys") {
        work.choice.what = key_choice::shape::hot;
        const auto seen = counts(1, 0);
        int hot = 0;
        for (std::size_t i = 0; i < 100; ++i) {
            hot += seen[i];
        }
        CHECK(std::abs(hot - 18'000) < 400);
    }
    SECTION("sequential: each of a client's own keys as often as the others") {
        work.choice.what = key_choice::shape::sequential;
        const auto seen = counts(10, 3);
        CHECK(seen.size() == 100);
        CHECK(seen.front() == 200);
        CHECK(seen.back() == 200);
    }
}

TEST_CASE("a value is accepted under its own key alone, and nothing else passes for one") {
    workload work;
    work.keys = 1;
    work.kinds = {kind(put)};
    work.sizes.ranges = {{GENERATE(2U, 7U, 16U, 300U), 0, 1}};
    work.sizes.ranges[0].most = work.sizes.ranges[0].least;
    const request_plan writing(work, 1);
    request_stream writer(writing, 0);
    const auto value = value_of(next_line(writer));
    const reply done{reply::kind::done, "OK", 3};
    CHECK(writer.judge(done) == outcome::right);
    CHECK(writer.judge(done) == outcome::wrong);  // nothing was asked

    work.kinds = {kind(get)};
    const request_plan reading(work, 1);
    request_stream reader(reading, 0);
    const auto judged = [&](const reply& each) {
        next_line(reader);
        return reader.judge(each);
    };
    CHECK(judged({reply::kind::value, value, 1}) == outcome::hit);
    CHECK(reader.judged_get());
    CHECK(judged({reply::kind::missing, {}, 1}) == outcome::miss);
    auto changed = value;
    changed.back() = changed.back() == 'a' ? 'b' : 'a';
    CHECK(judged({reply::kind::value, changed, 1}) == outcome::wrong);
    CHECK(judged({reply::kind::value, {}, 1}) == outcome::wrong);
    CHECK(judged({reply::kind::failure, "ERROR OOM", 1}) == outcome::failure);
    if (value.size() >= 16) {
        work.keys = 0;
        const request_plan other(work, 1);
        request_stream others(other, 0);
        next_line(others);
        CHECK(others.judge({reply::kind::value, value, 1}) == outcome::wrong);
    }
}

TEST_CASE("verify: a lost write and an old value are seen, an honest store is not accused") {
    workload work;
    work.keys = 50;
    work.verify = true;
    work.sizes.ranges = {{16, 40, 1}};
    const request_plan plan(work, 3);
    toy_server honest(plan, 2);
    for (int i = 0; i < 5'000; ++i) {
        const auto what = honest.step();
        REQUIRE((what == outcome::right || what == outcome::hit || what == outcome::miss));
    }
    CHECK(honest.values.size() <= 16);  // numbers 2, 5, ... 47

    SECTION("lost") {
        const auto held = honest.values.size();
        honest.values.clear();
        int lost = 0;
        for (int i = 0; i < 200; ++i) {
            lost += honest.step() == outcome::lost ? 1 : 0;
        }
        CHECK(lost > 0);
        CHECK(lost <= 200);
        CHECK(held > 0);
    }
    SECTION("old") {
        const auto old = honest.values;
        for (int i = 0; i < 500; ++i) {
            honest.step();
        }
        honest.values = old;
        int lost = 0;
        for (int i = 0; i < 100; ++i) {
            lost += honest.step() == outcome::lost ? 1 : 0;
        }
        CHECK(lost > 0);
    }
}

TEST_CASE("commands are templates") {
    workload work;
    work.keys = 10;
    auto made = kind(other);
    made.words = {"SET", "user:{key}", "<{value}>", "PX", "100"};
    work.kinds = {made};
    const request_plan plan(work, 1);
    request_stream stream(plan, 0);
    const auto line = next_line(stream);
    CHECK(line.starts_with("SET user:"));
    CHECK(line.ends_with("> PX 100\n"));
    CHECK(stream.judge({reply::kind::value, "anything", 9}) == outcome::right);
    next_line(stream);
    CHECK(stream.judge({reply::kind::failure, "ERROR x", 8}) == outcome::failure);
}

TEST_CASE("YCSB's workloads have their names") {
    for (const char letter : std::string("abcdef")) {
        workload work;
        work.keys = 1'000;
        REQUIRE(set_named_mix(std::string("ycsb-") + letter, work));
        const request_plan plan(work, 2);
        request_stream stream(plan, 1);
        flat_buffer out;
        std::uint64_t replies = 0;
        for (int i = 0; i < 1'000; ++i) {
            replies += stream.append_next(out);
        }
        CHECK(std::ranges::count(out.view(), '\n') == static_cast<std::ptrdiff_t>(replies));
        CHECK((replies > 1'000) == (letter == 'f'));
    }
    workload work;
    CHECK_FALSE(set_named_mix("ycsb-g", work));
    CHECK_FALSE(set_named_mix("ycsb-", work));
}
