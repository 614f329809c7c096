#include "support/catch.hpp"
#include "support/choices.hpp"
#include "support/talk.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
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
    switch (choose.below(18)) {
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
        case 15:
            return {"SET", key(), ""};
        case 16:
            return {"APPEND", key(), ""};
        default:
            return {"DEL", key()};
    }
}

// One request, or several of a transaction.
std::string any_requests(test::choices& choose, std::size_t value_bytes_max) {
    if (choose.below(4) != 0) {
        return test::array_of(any_command(choose, value_bytes_max));
    }
    auto requests = test::array_of({"MULTI"});
    for (auto left = choose.below(4); left > 0; --left) {
        requests += test::array_of(any_command(choose, value_bytes_max / 8));
    }
    return requests + test::array_of({choose.below(4) == 0 ? "DISCARD" : "EXEC"});
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
        test::append(client, any_requests(choose, f.lim.value_bytes_max));
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

TEST_CASE("a transaction that ends with an empty value gives back what it has built before") {
    test::fixture f;
    conversation client(f.run, f.lim);
    test::append(
        client, "SET empty \"\"\nMULTI\nSETRANGE v 3000000 x\nCOPY empty other\nEXEC\nFLUSHALL\n");
    test::take_turns(client, f.now);
    client.tidy();
    CHECK(client.open());
    CHECK(f.run.request_memory().bytes_used() == f.run.client_memory().bytes_used());
}

TEST_CASE(
    "many clients are closed for memory, the largest first, and each is compared a few times") {
    constexpr std::size_t clients = 2'000;
    test::fixture f;
    f.lim.client_memory = 100 * MiB;
    test::choices choose(7, UINT64_MAX);
    std::vector<std::unique_ptr<peer>> peers;
    std::vector<std::uint64_t> sizes;
    for (std::size_t i = 0; i < clients; ++i) {
        peers.push_back(std::make_unique<peer>(f.run.client_memory(), f.db.secret()));
        f.run.add(*peers.back());
        sizes.push_back(1'000 + choose.below(10'000));
        peers.back()->memory.charge(sizes.back());
    }
    f.run.shed_clients();
    CHECK(f.run.count.closed_for_memory == 0);
    f.lim.client_memory = 1 * MiB;
    f.run.shed_clients();
    const auto looked_at = f.run.peers_looked_at();
    CHECK(looked_at < 20 * clients);
    f.run.shed_clients();
    CHECK(f.run.peers_looked_at() == looked_at);

    std::uint64_t largest_left = 0;
    std::uint64_t smallest_closed = UINT64_MAX;
    std::uint64_t left = 0;
    for (std::size_t i = 0; i < clients; ++i) {
        if (peers[i]->leaving) {
            smallest_closed = std::min(smallest_closed, sizes[i]);
        } else {
            largest_left = std::max(largest_left, sizes[i]);
            left += sizes[i];
        }
    }
    CHECK(left <= f.lim.client_memory);
    CHECK(left + smallest_closed > f.lim.client_memory);
    CHECK(largest_left <= smallest_closed);

    // Those that are being closed are larger, and are not closed again.
    const auto is_leaving = [](const auto& each) { return each->leaving; };
    const auto grown = std::ranges::find_if_not(peers, is_leaving);
    (*grown)->memory.charge(largest_left);
    f.run.shed_clients();
    CHECK((*grown)->leaving);
    CHECK(
        f.run.count.closed_for_memory ==
        static_cast<std::uint64_t>(std::ranges::count_if(peers, is_leaving)));
    for (auto& each : peers) {
        f.run.remove(*each);
        each->memory.refund(each->memory.bytes_used());
    }
}

TEST_CASE(
    "clients without the password, exempt ones, and those read ahead are closed first for more "
    "than their share") {
    test::fixture f;
    f.lim.client_memory = 1'000'000;
    std::vector<std::unique_ptr<peer>> peers;
    for (int i = 0; i < 400; ++i) {
        peers.push_back(std::make_unique<peer>(f.run.client_memory(), f.db.secret()));
        f.run.add(*peers.back());
        peers.back()->stranger = i % 4 == 1;
        peers.back()->exempt = i % 4 == 2;
        if (i % 4 == 3) {
            f.run.clients_ahead().update(peers.back()->ahead, 1);
        }
        peers.back()->memory.charge(9'000 + static_cast<std::uint64_t>(i));
    }
    f.run.shed_clients();
    std::array<std::uint64_t, 4> left{};
    for (int i = 0; i < 400; ++i) {
        const auto& each = *peers[static_cast<std::size_t>(i)];
        left.at(static_cast<std::size_t>(i % 4)) += each.leaving ? 0 : each.memory.bytes_used();
    }
    CHECK(left[0] + left[1] + left[2] + left[3] <= 1'000'000);
    for (const auto kind : {1U, 2U, 3U}) {
        CHECK(left.at(kind) <= 250'000);
        CHECK(left.at(kind) > 230'000);
    }
    CHECK(left[0] > 230'000);
    for (auto& each : peers) {
        f.run.remove(*each);
        each->memory.refund(each->memory.bytes_used());
    }
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
