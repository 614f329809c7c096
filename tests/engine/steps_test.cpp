// Work that one request makes all others wait for, counted in steps: no clock is looked at.

#include "support/catch.hpp"
#include "support/failing_resource.hpp"
#include "support/talk.hpp"
#include <butterdb/conversation/conversation.hpp>

#include <algorithm>
#include <array>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <vector>

using namespace butterdb;

namespace {

class client {
public:
    explicit client(test::fixture& f) : fixture_(f) {}

    /// Sends a request as an array, and returns the reply.
    std::string ask(const std::vector<std::string>& words) {
        test::append(talk_, test::array_of(words));
        return test::take_turns(talk_, fixture_.now);
    }
    peer& who() { return talk_.who(); }

private:
    test::fixture& fixture_;
    conversation talk_{fixture_.run, fixture_.lim};
};

constexpr std::size_t long_key_bytes = 64 * KiB;

void put_long_keys(test::fixture& f, int count) {
    for (int i = 0; i < count; ++i) {
        auto key = std::to_string(i);
        key.resize(long_key_bytes, 'a');
        REQUIRE(f.db.put(key, "v", f.now));
    }
}

void put_short_keys(test::fixture& f, int count) {
    for (int i = 0; i < count; ++i) {
        REQUIRE(f.db.put("user:" + std::to_string(i), "v", f.now));
    }
}

// The slowest that is allowed: as long as can be, and no byte of a long key decides.
std::string slow_pattern() {
    return "*" + std::string(1'020, 'a') + "b";
}

// The steps of a walk over one bucket of long keys with the slowest pattern. (A bucket has 8
// slots.)
constexpr std::uint64_t bucket_steps_max = 8 * 17 * long_key_bytes + 100'000;

// The cursor of a reply to SCAN or DELPREFIX.
std::string cursor_of(const std::string& reply) {
    const auto begin = reply.find("\r\n", reply.find('$')) + 2;
    return reply.substr(begin, reply.find("\r\n", begin) - begin);
}

}  // namespace

TEST_CASE("SCAN returns early with a cursor when its steps are spent, and still finds all") {
    test::fixture f;
    client c(f);
    put_long_keys(f, 200);
    const auto pattern = slow_pattern();
    std::string cursor = "0";
    int calls = 0;
    do {
        cursor = cursor_of(c.ask({"SCAN", cursor, "MATCH", pattern, "COUNT", "10000"}));
        CHECK(f.run.steps_taken() < f.lim.request_steps_max + bucket_steps_max);
        ++calls;
    } while (cursor != "0");
    CHECK(calls > 10);

    std::ptrdiff_t found = 0;
    do {
        const auto reply = c.ask({"SCAN", cursor, "MATCH", "*a", "COUNT", "10000"});
        cursor = cursor_of(reply);
        found += std::ranges::count(reply, '$') - 1;
        CHECK(reply.size() < f.lim.request_steps_max + 9 * long_key_bytes);
    } while (cursor != "0");
    CHECK(found == 200);
}

TEST_CASE("SCAN of ordinary keys with an ordinary pattern is never short of steps") {
    test::fixture f;
    client c(f);
    put_short_keys(f, 20'000);
    const auto found = c.ask({"SCAN", "0", "MATCH", "user:*", "COUNT", "10000"});
    CHECK(std::ranges::count(found, '$') > 10'000);
}

TEST_CASE("KEYS refuses a pattern that takes too many steps, and says what to do") {
    test::fixture f;
    client c(f);
    put_long_keys(f, 100);
    CHECK(
        c.ask({"KEYS", slow_pattern()}) ==
        "-ERR this pattern takes too many steps for keys this long (--max-steps); use SCAN, or a "
        "shorter pattern\r\n");
    CHECK(f.run.steps_taken() < 2 * f.lim.request_steps_max + bucket_steps_max);
    CHECK(c.ask({"KEYS", "1a*"}).starts_with("*1\r\n"));
}

TEST_CASE("KEYS of many ordinary keys takes more steps than one request may, and is not refused") {
    test::fixture f;
    f.lim.request_steps_max = 10'000;
    client c(f);
    put_short_keys(f, 20'000);
    for (const std::string pattern : {"*", "user:*", "*:*", "*[0-9]*", "user:?*"}) {
        CAPTURE(pattern);
        CHECK(c.ask({"KEYS", pattern}).starts_with("*20000\r\n"));
        CHECK(f.run.steps_taken() > f.lim.request_steps_max);
    }
}

TEST_CASE("DELPREFIX deletes in bounded steps, and every call gets on") {
    test::fixture f;
    client c(f);
    put_long_keys(f, 500);
    REQUIRE(f.db.put("kept", "v", f.now));
    f.lim.request_steps_max = 20'000;
    std::string cursor = "0";
    int calls = 0;
    do {
        cursor = cursor_of(c.ask({"DELPREFIX", cursor, "", "COUNT", "10000"}));
        CHECK(f.run.steps_taken() < f.lim.request_steps_max + 10 * long_key_bytes / 8);
        ++calls;
    } while (cursor != "0");
    CHECK(calls > 20);
    CHECK(f.db.size() == 0);
}

TEST_CASE("a request that takes many steps ends its client's turn") {
    test::fixture f;
    conversation talk(f.run, f.lim);
    put_short_keys(f, 20'000);
    test::append(talk, "SCAN 0 COUNT 10000\nSCAN 0 COUNT 10000\nPING\n");
    CHECK(talk.receive(f.now, 25) == 1);
    CHECK(talk.backlog());
}

TEST_CASE("a request for many keys ends its client's turn, whatever it does with them") {
    test::fixture f;
    const std::string verb =
        GENERATE(as<std::string>(), "DEL", "UNLINK", "EXISTS", "TOUCH", "MSET", "MSETNX", "WATCH");
    CAPTURE(verb);
    f.lim.watched_keys_max = 2'000;
    conversation talk(f.run, f.lim);
    auto request = verb;
    for (int i = 0; i < 2'000; ++i) {
        request.append(" ").append(std::to_string(i));
    }
    test::append(talk, request + "\n" + request + "\nPING\n");
    CHECK(talk.receive(f.now, 25) == 1);
    CHECK(talk.backlog());
}

// Transactions.

TEST_CASE("MULTI keeps a limited number of requests, and EXEC refuses one that had more") {
    test::fixture f;
    f.lim.queued_requests_max = 3;
    client c(f);
    c.ask({"MULTI"});
    for (int i = 0; i < 3; ++i) {
        CHECK(c.ask({"PING"}) == "+QUEUED\r\n");
    }
    const bool one_more = GENERATE(false, true);
    if (one_more) {
        CHECK(
            c.ask({"PING"}) ==
            "-ERR transaction of more requests than the limit of 3 (--max-queued-requests)\r\n");
    }
    CHECK(c.ask({"EXEC"}).starts_with(one_more ? "-EXECABORT " : "*3\r\n+PONG\r\n"));
    CHECK(limits().queued_requests_max == 10'000);
}

TEST_CASE("what a transaction walks over is limited as a whole, and the rest of it is executed") {
    test::fixture f;
    f.lim.request_steps_max = 100'000;
    client c(f);
    put_short_keys(f, 10'000);
    const auto request = GENERATE(
        std::vector<std::string>{"SCAN", "0", "COUNT", "100"},
        std::vector<std::string>{"KEYS", "user:1"},
        std::vector<std::string>{"DELPREFIX", "0", "none"},
        std::vector<std::string>{"RANDOMKEY"},
        std::vector<std::string>{"CLIENT", "LIST"},
        std::vector<std::string>{"CLIENT", "KILL", "ADDR", "nowhere"},
        std::vector<std::string>{"CONFIG", "GET", "max*"},
        std::vector<std::string>{"CONFIG", "SET", "max-key", "1024"},
        std::vector<std::string>{"COMMAND"},
        std::vector<std::string>{"COMMAND", "DOCS"},
        std::vector<std::string>{"HELP"},
        std::vector<std::string>{"INFO"});
    CAPTURE(request[0]);
    c.ask({"MULTI"});
    for (int i = 0; i < 2'500; ++i) {
        c.ask(request);
    }
    c.ask({"SET", "k", "v"});
    const auto reply = c.ask({"EXEC"});
    CHECK(
        reply.find("-ERR transaction has taken its limit of 100000 steps (--max-steps); send this "
                   "command outside of MULTI\r\n") != reply.npos);
    CHECK(reply.ends_with("+OK\r\n"));
    CHECK(f.run.steps_taken() < f.lim.request_steps_max + 10'000 * 200);
    CHECK(c.ask(request).find("-ERR transaction") == std::string::npos);
}

TEST_CASE("what a transaction copies is limited as a whole") {
    test::fixture f;
    f.lim.request_steps_max = 100'000;
    client c(f);
    const std::string value(1 * MiB, 'x');
    const auto request = GENERATE(
        std::vector<std::string>{"COPY", "large", "other", "REPLACE"},
        std::vector<std::string>{"APPEND", "large", "x"},
        std::vector<std::string>{"SETRANGE", "large", "0", "y"},
        std::vector<std::string>{"SETRANGE", "other", "1048576", "y"},
        std::vector<std::string>{"SET", "large", std::string(100'000, 'z'), "GET"});
    CAPTURE(request[0]);
    REQUIRE(f.db.put("large", value, f.now));
    c.ask({"MULTI"});
    for (int i = 0; i < 100; ++i) {
        c.ask(request);
    }
    c.ask({"SET", "k", "v"});
    c.ask({"APPEND", "k", "w"});
    const auto reply = c.ask({"EXEC"});
    CHECK(reply.find("-ERR transaction has taken its limit of 100000 steps") != reply.npos);
    CHECK(reply.ends_with("+OK\r\n:2\r\n"));
    CHECK(f.run.steps_taken() < f.lim.request_steps_max + 2 * MiB / 64);
}

TEST_CASE("EXEC copies no value once its reply is over the limit, and keeps what it cannot reply") {
    test::fixture f;
    f.lim.reply_bytes_max = 100'000;
    client c(f);
    REQUIRE(f.db.put("large", std::string(60'000, 'x'), f.now));
    REQUIRE(f.db.put("small", std::string(20'000, 'x'), f.now));
    c.ask({"MULTI"});
    c.ask({"GET", "large"});
    c.ask({"GET", "large"});
    c.ask({"GETDEL", "small"});
    c.ask({"SET", "k", "v"});
    CHECK(c.ask({"EXEC"}).starts_with("-ERR reply is over the limit of 100000 bytes"));
    CHECK(f.db.get("small", f.now));
    CHECK(f.db.get("k", f.now) == "v");
}

// Clients that are registered with keys.

TEST_CASE(
    "clients that watch the same keys leave in a step for each key that each of them watches") {
    test::fixture f;
    constexpr std::uint64_t clients = 200;
    constexpr std::uint64_t keys = 50;
    std::vector<std::string> watch{"WATCH"};
    for (std::uint64_t i = 0; i < keys; ++i) {
        watch.push_back(std::to_string(i) + " is a key that its client allocates");
    }
    const auto empty = f.run.request_memory().bytes_used();
    std::vector<std::unique_ptr<client>> all;
    for (std::uint64_t i = 0; i < clients; ++i) {
        all.push_back(std::make_unique<client>(f));
        CHECK(all.back()->ask(watch) == "+OK\r\n");
    }
    CHECK(f.run.registrations_looked_at() == clients * keys);
    const bool first_leaves_first = GENERATE(true, false);
    if (!first_leaves_first) {
        std::ranges::reverse(all);
    }
    for (auto& each : all) {
        each.reset();
    }
    CHECK(f.run.registrations_looked_at() == 2 * clients * keys);
    CHECK(f.run.request_memory().bytes_used() == empty);
}

TEST_CASE(
    "a key that is written again and again is looked up once for each client that watches it") {
    test::fixture f;
    std::vector<std::unique_ptr<client>> all;
    for (int i = 0; i < 100; ++i) {
        all.push_back(std::make_unique<client>(f));
        all.back()->ask({"WATCH", "k"});
    }
    client writer(f);
    const auto before = f.run.registrations_looked_at();
    for (int i = 0; i < 100; ++i) {
        writer.ask({"SET", "k", "v"});
    }
    CHECK(f.run.registrations_looked_at() - before == 100);
    for (auto& each : all) {
        each->ask({"WATCH", "k", "other"});
        each->ask({"MULTI"});
        CHECK(each->ask({"EXEC"}) == "*-1\r\n");
        each->ask({"WATCH", "k"});
        each->ask({"MULTI"});
        CHECK(each->ask({"EXEC"}) == "*0\r\n");
    }
}

TEST_CASE("a client that waits for a key that comes and goes is woken again when it comes back") {
    test::fixture f;
    client writer(f);
    std::vector<std::unique_ptr<client>> all;
    int woken = 0;
    for (int i = 0; i < 3; ++i) {
        all.push_back(std::make_unique<client>(f));
        all.back()->who().wake = [&] { ++woken; };
        CHECK(all.back()->ask({"WAITKEY", "k", "0"}).empty());
    }
    writer.ask({"MSET", "k", "1", "k", "2"});
    writer.ask({"DEL", "k"});
    CHECK(woken == 3);
    for (auto& each : all) {
        CHECK(each->ask({"PING"}).empty());
    }
    writer.ask({"SET", "k", "3"});
    CHECK(woken == 6);
    for (auto& each : all) {
        CHECK(each->ask({"PING"}) == "$1\r\n3\r\n+PONG\r\n+PONG\r\n");
    }
    writer.ask({"SET", "k", "4"});
    CHECK(woken == 6);
}

TEST_CASE("a key that is watched twice counts once, and what is watched is memory of the client") {
    test::fixture f;
    client c(f);
    client other(f);
    const std::string key(10 * KiB, 'k');
    other.ask({"WATCH", key});
    const auto used = c.who().memory.bytes_used();
    const auto used_together = f.run.client_memory().bytes_used();
    for (int i = 0; i < 3; ++i) {
        CHECK(c.ask({"WATCH", key, key}) == "+OK\r\n");
    }
    CHECK(c.ask({"CLIENT", "LIST", "ID", "1"}).find(" watch=1 ") != std::string::npos);
    CHECK(c.who().memory.bytes_used() - used > key.size());
    CHECK(f.run.client_memory().bytes_used() - used_together == c.who().memory.bytes_used() - used);
    const auto watching = f.run.client_memory().bytes_used();
    c.ask({"UNWATCH"});
    CHECK(watching - f.run.client_memory().bytes_used() > key.size());
}

TEST_CASE("WATCH that runs out of memory leaves nothing registered that is gone") {
    test::failing_resource memory;
    limits lim;
    store db(test::memory_of_stores(), {64 * MiB, 1});
    engine run(db, lim, memory);
    const hash_secret& secret = db.secret();
    flat_buffer out;
    int failures = 0;
    for (std::uint64_t failing = 1; failing < 40; ++failing) {
        peer who(run.client_memory(), secret);
        run.add(who);
        const std::string key(100, 'k');
        const std::array<std::string_view, 3> words{
            "WATCH", key, "another key, as long as strings are"};
        memory.fail_at(failing, test::failing_resource::mode::once);
        try {
            run.execute(words, who, out, time_point{});
        } catch (const std::bad_alloc&) {
            ++failures;
        }
        memory.never_fail();
        run.remove(who);
    }
    CHECK(failures > 3);
    CHECK(run.request_memory().bytes_used() == 0);
}

// Lists of arguments.

TEST_CASE("CLIENT LIST and CLIENT KILL look each client up in the ids, in any order and number") {
    test::fixture f;
    client first(f);
    client second(f);
    client third(f);
    std::vector<std::string> words{"CLIENT", "LIST", "ID", "3", "1"};
    for (int i = 0; i < 1'000; ++i) {
        words.push_back(std::to_string(1'000'000 - i));
    }
    const auto list = first.ask(words);
    CHECK(list.find("id=1 ") != list.npos);
    CHECK(list.find("id=2 ") == list.npos);
    CHECK(list.find("id=3 ") != list.npos);
    CHECK(f.run.steps_taken() < 10'000);
    words[1] = "KILL";
    CHECK(first.ask(words) == ":1\r\n");
    CHECK(third.who().leaving);
    CHECK_FALSE(second.who().leaving);
}

TEST_CASE("COMMAND DOCS describes a command once, however often it is named") {
    test::fixture f;
    client c(f);
    c.ask({"HELLO", "3"});
    std::vector<std::string> words{"COMMAND", "DOCS"};
    for (int i = 0; i < 1'000; ++i) {
        words.emplace_back(i % 2 == 0 ? "get" : "nonsense");
    }
    words.emplace_back("PUT");
    CHECK(c.ask(words).starts_with("%2\r\n$3\r\nput\r\n"));
}

TEST_CASE("CONFIG GET with as many patterns as can be takes bounded steps") {
    test::fixture f;
    client c(f);
    std::vector<std::string> words{"CONFIG", "GET"};
    for (int i = 0; i < 60'000; ++i) {
        words.emplace_back(i < 256 ? "*?-*" : "");
    }
    CHECK(c.ask(words).starts_with("*"));
    CHECK(f.run.steps_taken() < 1'000'000);
}
