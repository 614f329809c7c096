#include "support/catch.hpp"
#include "support/choices.hpp"
#include "support/talk.hpp"

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

using namespace butterdb;

namespace {

// A command that copies, moves or returns values of up to the limit.
std::vector<std::string> any_command(test::choices& choose, std::size_t value_bytes_max) {
    const auto key = [&] { return std::string("key").append(std::to_string(choose.below(4))); };
    const auto value = [&] {
        return std::string(choose.below(static_cast<unsigned>(value_bytes_max) + 1), 'v');
    };
    const auto offset = std::to_string(choose.below(static_cast<unsigned>(value_bytes_max)));
    switch (choose.below(16)) {
        case 0:
            return {"SET", key(), value()};
        case 1:
            return {"SET", key(), value(), "GET"};
        case 2:
            return {"APPEND", key(), value()};
        case 3:
            return {"APPEND", key(), "v"};
        case 4:
            return {"SETRANGE", key(), offset, "v"};
        case 5:
            return {"GET", key()};
        case 6:
            return {"MGET", key(), key(), key(), key()};
        case 7:
            return {"GETDEL", key()};
        case 8:
            return {"RENAME", key(), key()};
        case 9:
            return {"COPY", key(), key(), "REPLACE"};
        case 10:
            return {"GETEX", key(), "PX", "100"};
        case 11:
            return {"GETRANGE", key(), "0", "-1"};
        case 12:
            return {"MSET", key(), "v", key(), value()};
        case 13:
            return {"ECHO", value()};
        case 14:
            return {"KEYS", std::string(choose.below(900), '?')};
        default:
            return {"DEL", key()};
    }
}

}  // namespace

TEST_CASE(
    "memory that requests needed is free once the clients are idle, and no client is closed") {
    test::fixture f;
    f.lim.value_bytes_max = 256 * KiB;
    f.lim.memory_bytes_max = 2 * MiB;
    const auto seed = GENERATE(range(1U, 9U));
    CAPTURE(seed);
    test::choices choose(seed, UINT64_MAX);
    std::array<std::unique_ptr<conversation>, 3> clients;
    for (auto& each : clients) {
        each = std::make_unique<conversation>(f.run, f.lim);
    }
    for (int i = 0; i < 400; ++i) {
        auto& client = *clients.at(choose.below(3));
        test::append(client, test::array_of(any_command(choose, f.lim.value_bytes_max)));
        test::take_turns(client, f.now);
        REQUIRE(client.open());
    }
    CHECK(f.run.count.closed_for_memory == 0);
    for (auto& each : clients) {
        each->tidy();
    }
    const auto idle = f.lim.input_bytes_initial + f.lim.output_bytes_kept;
    CHECK(f.run.client_memory().bytes_used() <= clients.size() * idle);
    CHECK(
        f.run.request_memory().bytes_used() <=
        f.run.client_memory().bytes_used() + f.lim.scratch_bytes_kept + 1);
    for (auto& each : clients) {
        each.reset();
    }
    CHECK(f.run.client_memory().bytes_used() == 0);
    CHECK(f.run.request_memory().bytes_used() <= f.lim.scratch_bytes_kept + 1);
}

TEST_CASE("a value that a command has built leaves no memory behind") {
    test::fixture f;
    conversation client(f.run, f.lim);
    const auto* const request = GENERATE("SETRANGE v 3000000 x", "SETRANGE v 67108862 x");
    test::append(client, std::string(request) + "\nAPPEND v y\nFLUSHALL\n");
    test::take_turns(client, f.now);
    client.tidy();
    CHECK(client.open());
    const auto idle = f.lim.input_bytes_initial + f.lim.output_bytes_kept;
    CHECK(f.run.client_memory().bytes_used() <= idle);
    CHECK(f.run.request_memory().bytes_used() == f.run.client_memory().bytes_used());
}

TEST_CASE("a client is not closed for memory that closing it does not free") {
    test::fixture f;
    f.lim.client_memory = 1 * MiB;
    conversation client(f.run, f.lim);
    auto* const block =
        f.run.request_memory().allocate(4 * MiB);  // as a command that builds a value
    test::append(client, "PUT a 1\n");
    CHECK(test::take_turns(client, f.now) == "OK\n");
    CHECK(client.open());
    CHECK(f.run.count.closed_for_memory == 0);
    f.run.request_memory().deallocate(block, 4 * MiB);
}
