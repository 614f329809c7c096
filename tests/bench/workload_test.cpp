#include "bench/workload.hpp"

#include "support/catch.hpp"

#include <set>
#include <string>

using namespace butterdb;
using namespace butterdb::bench;

namespace {

std::string next_line(request_stream& stream) {
    flat_buffer out;
    stream.append_next(out);
    return std::string(out.view());
}

}  // namespace

TEST_CASE("a stream has the mix and the sizes that were asked for") {
    workload work;
    work.key_bytes = 20;
    work.value_bytes = 33;
    request_stream stream(work, 0);
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

TEST_CASE("keys are as many and as different as was said") {
    workload work;
    work.put_percent = 0;
    work.get_percent = 100;
    work.del_percent = 0;
    work.keys = 100;
    work.key_bytes = GENERATE(2U, 8U, 40U);
    request_stream stream(work, 0);
    std::set<std::string> seen;
    for (int i = 0; i < 5000; ++i) {
        seen.insert(next_line(stream));
    }
    CHECK(seen.size() == 100);
    CHECK(keys_possible(2) == 676);
}

TEST_CASE("a value is accepted under its own key alone, and nothing else passes for one") {
    workload work;
    work.keys = 1;
    work.put_percent = 100;
    work.get_percent = work.del_percent = 0;
    request_stream writer(work, 0);
    const auto line = next_line(writer);
    const auto value = line.substr(line.rfind(' ') + 1);
    CHECK(writer.judge("OK\n") == outcome::right);
    CHECK(writer.judge("OK\n") == outcome::wrong);  // nothing was asked

    work.put_percent = 0;
    work.get_percent = 100;
    request_stream reader(work, 1);
    const auto judged = [&](std::string_view reply) {
        next_line(reader);
        return reader.judge(reply);
    };
    CHECK(judged(value) == outcome::hit);
    CHECK(judged("NOT_FOUND\n") == outcome::miss);
    auto changed = value;
    changed[changed.size() - 2] = changed[changed.size() - 2] == 'a' ? 'b' : 'a';
    CHECK(judged(changed) == outcome::wrong);
    CHECK(judged("OK\n") == outcome::wrong);
    CHECK(judged("\n") == outcome::wrong);
    work.keys = 0;
    request_stream others(work, 1);
    next_line(others);
    CHECK(others.judge(value) == outcome::wrong);
}
