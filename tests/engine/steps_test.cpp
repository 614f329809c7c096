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
    std::string ask(const std::vector<std::string>& words) { return say(test::array_of(words)); }
    /// Sends bytes, and returns the replies.
    std::string say(const std::string& bytes) {
        test::append(talk_, bytes);
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
    CHECK(f.run.steps_taken() < f.lim.request_steps_max + 2 * MiB / 8);
}

TEST_CASE("EXEC reads no value once its reply is over the limit, and keeps what it cannot reply") {
    test::fixture f;
    f.lim.reply_bytes_max = 100'000;
    client c(f);
    REQUIRE(f.db.put("large", std::string(60'000, 'x'), f.now));
    REQUIRE(f.db.put("small", std::string(20'000, 'x'), f.now));
    const std::string end = GENERATE(as<std::string>(), "\n", "\r\n");
    const bool in_text = end == "\n";
    c.say(in_text ? "PING\n" : test::array_of({"PING"}));
    const std::string request = GENERATE(
        as<std::string>(),
        "GET large",
        "GETRANGE large 0 -1",
        "GETEX large EX 100",
        "GETEX large PERSIST",
        "GETTTL large",
        "MGET large",
        "WAITKEY large 0");
    CAPTURE(in_text, request);
    c.say("MULTI" + end);
    for (int i = 0; i < 100; ++i) {
        c.say(request + end);
    }
    c.say("GETDEL small" + end + "SET k v" + end);
    const auto reply = c.say("EXEC" + end);
    CHECK(reply.substr(reply.find("ERR "))
              .starts_with("ERR reply is over the limit of 100000 bytes"));
    CHECK(f.run.steps_taken() < 100'000);
    CHECK(f.db.get("small", f.now));
    CHECK(f.db.get("k", f.now) == "v");
}

TEST_CASE("SET with GET reads no value for which there is no room, and changes nothing") {
    test::fixture f;
    f.lim.reply_bytes_max = 100'000;
    client c(f);
    const std::string value(200'000, 'x');
    REQUIRE(f.db.put("large", value, f.now));
    CHECK(c.say("SET large v GET\n").starts_with("ERROR ERR reply is over the limit"));
    CHECK(f.run.steps_taken() < 10'000);
    CHECK(f.db.get("large", f.now) == value);
}

TEST_CASE("a transaction names many keys in each of few requests only") {
    test::fixture f;
    f.lim.request_steps_max = 100'000;
    client c(f);
    const std::string verb =
        GENERATE(as<std::string>(), "DEL", "UNLINK", "EXISTS", "TOUCH", "MGET", "MSET", "MSETNX");
    CAPTURE(verb);
    std::vector<std::string> request{verb};
    for (int i = 0; i < 400; ++i) {
        request.push_back("key" + std::to_string(i));
    }
    c.ask({"MULTI"});
    for (int i = 0; i < 50; ++i) {
        c.ask(request);
    }
    request.resize(3);
    c.ask(request);
    const auto reply = c.ask({"EXEC"});
    const std::string refusal =
        "-ERR transaction has taken its limit of 100000 steps (--max-steps)";
    CHECK(reply.find(refusal) != reply.npos);
    CHECK(reply.find(refusal, reply.rfind('-')) == reply.npos);
    CHECK(f.run.steps_taken() < f.lim.request_steps_max + 100'000);
    CHECK(c.ask(request).find("transaction") == std::string::npos);
}

// Memory that goes back to the system.

TEST_CASE("what frees a large entry takes the steps of that, and ends its client's turn") {
    test::fixture f;
    f.now += std::chrono::seconds(1);
    const std::string value(4 * MiB, 'x');
    REQUIRE(f.db.put("large", value, f.now));
    REQUIRE(f.db.put("gone", value, f.now, f.now + std::chrono::milliseconds(1)));
    REQUIRE(f.db.put("small", "v", f.now));
    f.now += std::chrono::milliseconds(1);
    const std::string request = GENERATE(
        as<std::string>(),
        "DEL large",
        "UNLINK large",
        "SET large v",
        "SET large v XX",
        "SET large v PXAT 1",
        "MSET large v",
        "GETDEL large",
        "GETEX large PXAT 1",
        "PEXPIREAT large 1",
        "RENAME small large",
        "COPY small large REPLACE",
        "GET gone",
        "EXISTS gone",
        "SET gone v",
        "DELPREFIX 0 large COUNT 10000");
    CAPTURE(request);
    conversation talk(f.run, f.lim);
    test::append(talk, request + "\nPING\n");
    CHECK(talk.receive(f.now, 25) == 1);
    CHECK(talk.backlog());
    CHECK(f.run.steps_taken() >= 4 * MiB / 8);
    CHECK(f.run.steps_taken() < 2 * 4 * MiB / 8 + 5 * MiB);
}

TEST_CASE("a small write that frees no memory takes no steps") {
    test::fixture f;
    client c(f);
    for (const char* const value : {"1", "2", "3"}) {
        c.ask({"SET", "k", value});
        CHECK(f.run.steps_taken() == 0);
    }
}

TEST_CASE("what a transaction frees is limited as a whole, and small entries are freed still") {
    test::fixture f;
    f.now += std::chrono::seconds(1);
    f.lim.request_steps_max = 1'000'000;
    client c(f);
    constexpr int count = 30;
    const std::string value(1 * MiB, 'x');
    for (int i = 0; i < count; ++i) {
        REQUIRE(f.db.put("large" + std::to_string(i), value, f.now));
    }
    REQUIRE(f.db.put("small", "v", f.now));
    REQUIRE(f.db.put("last", "v", f.now));
    using words = std::vector<std::string>;
    auto request = GENERATE(
        words{"DEL", ""},
        words{"UNLINK", "", "none"},
        words{"SET", "", "v"},
        words{"SET", "", "v", "XX"},
        words{"SET", "", "v", "PXAT", "1"},
        words{"MSET", "", "v", "other", "v"},
        words{"GETDEL", ""},
        words{"GETEX", "", "PXAT", "1"},
        words{"PEXPIREAT", "", "1"},
        words{"COPY", "small", "", "REPLACE"});
    CAPTURE(request);
    const auto place = std::ranges::find(request, "");
    c.ask({"MULTI"});
    for (int i = 0; i < count; ++i) {
        *place = "large" + std::to_string(i);
        c.ask(request);
    }
    *place = "last";
    c.ask(request);
    const auto reply = c.ask({"EXEC"});
    CHECK(reply.find("-ERR transaction has taken its limit of 1000000 steps") != reply.npos);
    CHECK(f.run.steps_taken() < f.lim.request_steps_max + 200'000);
    CHECK(f.db.get("large0", f.now) != value);
    CHECK(f.db.get("large" + std::to_string(count - 1), f.now) == value);
    CHECK(
        (reply.ends_with("\r\n:1\r\n") || reply.ends_with("+OK\r\n") || reply.ends_with("v\r\n")));
}

TEST_CASE("a request of a transaction that may not free an entry frees none of those it names") {
    test::fixture f;
    f.lim.request_steps_max = 10'000;
    client c(f);
    const std::string value(1 * MiB, 'x');
    REQUIRE(f.db.put("a", value, f.now));
    REQUIRE(f.db.put("b", "v", f.now));
    REQUIRE(f.db.put("c", value, f.now));
    const auto request = GENERATE(
        std::vector<std::string>{"DEL", "b", "c"},
        std::vector<std::string>{"MSET", "b", "w", "c", "w"});
    c.ask({"MULTI"});
    c.ask({"DEL", "a"});
    c.ask(request);
    CHECK(c.ask({"EXEC"}).starts_with("*2\r\n:1\r\n-ERR transaction"));
    CHECK(f.db.get("b", f.now) == "v");
    CHECK(f.db.get("c", f.now) == value);
    CHECK(c.ask(request).find("transaction") == std::string::npos);
}

// Long numbers.

TEST_CASE("INCRBYFLOAT of numbers with thousands of digits takes steps for them") {
    test::fixture f;
    client c(f);
    const std::string amount =
        GENERATE(as<std::string>(), "1e4900", "-1e4900", std::string(4'000, '9'), "0x1p15000");
    CAPTURE(amount);
    CHECK_FALSE(c.ask({"INCRBYFLOAT", "f", amount}).starts_with("-"));
    CHECK(f.run.steps_taken() > 500'000);
    CHECK(f.run.steps_taken() < 2'000'000);
    CHECK(c.ask({"INCRBYFLOAT", "small", "1e2"}) == "$3\r\n100\r\n");
    CHECK(f.run.steps_taken() < 200);

    conversation talk(f.run, f.lim);
    test::append(talk, "INCRBYFLOAT f 1\nPING\n");
    CHECK(talk.receive(f.now, 25) == 1);
}

TEST_CASE("what a transaction adds to long numbers is limited as a whole") {
    test::fixture f;
    f.lim.request_steps_max = 10'000;
    client c(f);
    c.ask({"SET", "f", "1e4900"});
    c.ask({"SET", "digits", std::string(1'000, '1')});
    const auto request = GENERATE(
        std::vector<std::string>{"INCRBYFLOAT", "f", "1"},
        std::vector<std::string>{"INCRBYFLOAT", "digits", "1"},
        std::vector<std::string>{"INCRBYFLOAT", "f", "-1e4900"},
        std::vector<std::string>{"INCRBYFLOAT", "f", std::string(4'000, '1') + "x"});
    CAPTURE(request);
    c.ask({"MULTI"});
    for (int i = 0; i < 100; ++i) {
        c.ask(request);
    }
    c.ask({"INCRBYFLOAT", "small", "3.5"});
    const auto reply = c.ask({"EXEC"});
    CHECK(reply.find("-ERR transaction has taken its limit of 10000 steps") != reply.npos);
    CHECK(reply.ends_with("$3\r\n3.5\r\n"));
    CHECK(f.run.steps_taken() < 2'000'000);
    CHECK(c.ask(request).find("transaction") == std::string::npos);
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
    CHECK(f.run.steps_taken() < 100'000);
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

TEST_CASE("a long list of words that is parsed takes steps for each, and ends its client's turn") {
    test::fixture f;
    const std::string command =
        GENERATE(as<std::string>(), "CLIENT LIST ID", "CLIENT KILL ID", "INFO");
    CAPTURE(command);
    constexpr std::uint64_t words = 10'000;
    auto request = command;
    for (std::uint64_t i = 0; i < words; ++i) {
        request.append(" ").append(std::to_string(1'000 + i));
    }
    conversation talk(f.run, f.lim);
    test::append(talk, request + "\nPING\n");
    CHECK(talk.receive(f.now, 25) == 1);
    CHECK(talk.backlog());
    CHECK(f.run.steps_taken() > words * 75);
}
