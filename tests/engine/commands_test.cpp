#include "support/catch.hpp"
#include "support/talk.hpp"
#include <butterdb/conversation/conversation.hpp>
#include <butterdb/protocol/verbs.hpp>

#include <algorithm>
#include <chrono>
#include <string>

using namespace butterdb;

namespace {

// One client, whose requests are lines.
class client {
public:
    explicit client(test::fixture& f) : fixture_(f) {}

    std::string say(const std::string& line) {
        test::append(talk_, line + "\n");
        return test::take_turns(talk_, fixture_.now);
    }
    conversation& talk() { return talk_; }

private:
    test::fixture& fixture_;
    conversation talk_{fixture_.run, fixture_.lim};
};

}  // namespace

TEST_CASE("commands about connections") {
    test::fixture f;
    client first(f);
    client second(f);
    second.talk().who().address = [] { return std::string("10.0.0.2:5000"); };
    bool cut = false;
    second.talk().who().cut = [&] { cut = true; };

    CHECK(first.say("CLIENT ID") == "1\n");
    CHECK(second.say("CLIENT ID") == "2\n");
    CHECK(first.say("CLIENT SETNAME worker") == "OK\n");
    CHECK(first.say("CLIENT GETNAME") == "worker\n");
    CHECK(first.say("CLIENT SETNAME \"two words\"").starts_with("ERROR ERR Client names cannot"));
    CHECK(first.say("HELLO 2 SETNAME \"two words\"").starts_with("ERROR ERR Client names cannot"));
    CHECK(first.say("CLIENT INFO").starts_with("LIST 1\nid=1 addr= name=worker "));
    CHECK(first.say("CLIENT LIST ADDR 10.0.0.2:5000").starts_with("LIST 1\nid=2 addr=10.0.0.2"));
    CHECK(first.say("CLIENT LIST ID 1 2").starts_with("LIST 2\n"));
    CHECK(first.say("CLIENT LIST TYPE master").starts_with("INVALID syntax error"));
    CHECK(first.say("CLIENT SETINFO lib-name me") == "OK\n");
    CHECK(first.say("CLIENT SETINFO nonsense me").starts_with("ERROR ERR Unrecognized option"));
    CHECK(first.say("CLIENT NO-EVICT on") == "OK\n");
    CHECK(first.talk().who().exempt);
    CHECK(first.say("CLIENT NO-EVICT off") == "OK\n");
    CHECK_FALSE(first.talk().who().exempt);
    CHECK(first.say("CLIENT NO-EVICT on") == "OK\n");
    CHECK(first.say("RESET") == "RESET\n");
    CHECK_FALSE(first.talk().who().exempt);
    CHECK(first.say("CLIENT NO-EVICT maybe") == "INVALID syntax error\n");
    CHECK(first.say("CLIENT KILL 10.0.0.3:5000") == "ERROR ERR No such client\n");
    CHECK(first.say("CLIENT KILL ADDR 10.0.0.2:5000") == "1\n");
    CHECK(cut);
    CHECK_FALSE(second.talk().open());
    CHECK(first.say("AUTH a b c").starts_with("INVALID syntax error"));
    CHECK(first.say("SELECT 0") == "OK\n");
    CHECK(first.say("SELECT 1") == "INVALID DB index is out of range\n");
    CHECK(first.say("PING hello") == "hello\n");
    CHECK(first.say("CLIENT KILL TYPE normal SKIPME no") == "1\n");
    CHECK_FALSE(first.talk().open());
}

TEST_CASE("commands about the server") {
    test::fixture f;
    client c(f);
    const auto count = std::to_string(verbs().size());
    CHECK(c.say("COMMAND COUNT") == count + "\n");
    CHECK(c.say("COMMAND LIST").starts_with("LIST " + count + "\nput\nset\nget\n"));
    CHECK(c.say("FUNCTION FLUSH") == "OK\n");
    CHECK(c.say("FUNCTION FLUSH async") == "OK\n");
    CHECK(
        c.say("FUNCTION FLUSH NOW") == "INVALID FUNCTION FLUSH only supports SYNC|ASYNC option\n");
    CHECK(c.say("FUNCTION FLUSH SYNC SYNC").starts_with("INVALID wrong number of arguments"));
    CHECK(c.say("MEMORY USAGE k") == "NOT_FOUND\n");
    CHECK(c.say("MEMORY USAGE k SAMPLES").starts_with("INVALID syntax error"));
    CHECK(c.say("MEMORY USAGE").starts_with("INVALID wrong number of arguments"));
    c.say("PUT k v");
    CHECK(c.say("MEMORY USAGE k SAMPLES 0") == "8\n");
    CHECK(f.run.count.commands_processed > 5);
    CHECK(c.say("CONFIG RESETSTAT") == "OK\n");
    CHECK(f.run.count.commands_processed == 0);
    CHECK(c.say("CONFIG GET port") == "LIST 2\nport\n0\n");
    CHECK(c.say("INFO commandstats").starts_with("LIST "));
}

TEST_CASE("what is advised where a subcommand is unknown can be followed") {
    test::fixture f;
    client c(f);
    CHECK(
        c.say("FUNCTION LOAD") ==
        "INVALID unknown subcommand 'LOAD'; usage: FUNCTION FLUSH [ASYNC|SYNC]\n");
    for (const auto& row : verbs()) {
        if (!row.traits.has_subcommands) {
            continue;
        }
        const std::string name(row.name);
        CAPTURE(name);
        const auto help = c.say("HELP " + name);
        CHECK(help.starts_with("LIST 1\n" + name + " "));
        CHECK(c.say(name + " help") == help);
        CHECK(c.say(name + " HELP x").starts_with("INVALID wrong number of arguments for '"));
    }
    c.say("HELLO 2");
    CHECK(c.say("client FOO") == "-ERR unknown subcommand 'FOO'. Try CLIENT HELP.\r\n");
    c.say("MULTI");
    CHECK(c.say("MEMORY foo") == "-ERR unknown subcommand 'foo'. Try MEMORY HELP.\r\n");
}

TEST_CASE("COMMAND tells what a verb does, and of what group it is") {
    test::fixture f;
    client c(f);
    const auto [verb, flags] = GENERATE(table<std::string, std::string>({
        {"get", "LIST 2\nreadonly\nfast\n"},
        {"set", "LIST 2\nwrite\nfast\n"},
        {"flushall", "LIST 1\nwrite\n"},
        {"info", "LIST 0\n"},
        {"auth", "LIST 1\nno_auth\n"},
    }));
    const auto info = c.say("COMMAND INFO " + verb);
    CAPTURE(info);
    CHECK(info.find("\n" + flags) != info.npos);
    CHECK(c.say("COMMAND DOCS SCAN").ends_with("\ngroup\ngeneric\n"));
}

TEST_CASE("commands about values and deadlines that have rare forms") {
    test::fixture f;
    f.now = time_point(std::chrono::seconds(1000));
    client c(f);
    CHECK(c.say("PSETEX k 1500 v") == "OK\n");
    CHECK(c.say("PEXPIRETIME k") == "1001500\n");
    CHECK(c.say("PEXPIREAT k 9223372036854775807") == "1\n");
    CHECK(c.say("EXPIRETIME k") == "9223372036854776\n");
    CHECK(c.say("COPY k j DB 1").starts_with("INVALID DB index is out of range"));
    CHECK(c.say("COPY k j DB 0 REPLACE") == "1\n");
    CHECK(c.say("SCAN 0 TYPE string").starts_with("LIST 2\n0\nLIST 2\n"));
    CHECK(c.say("SCAN 0 TYPE list") == "LIST 2\n0\nLIST 0\n");
    CHECK(c.say("PUT k '' IFEQ v") == "OK\n");
    CHECK(c.say("PUT k x IFEQ v") == "NOT_STORED\n");
    CHECK(c.say("ECHO a'b c'\"d\"").starts_with("INVALID Protocol error: unbalanced quotes"));
}

TEST_CASE("an MSET at the ceiling keeps the pairs before the one that is refused, an MSETNX none") {
    const auto [verb, first] =
        GENERATE(table<std::string, std::string>({{"MSET", "1"}, {"MSETNX", "NOT_FOUND"}}));
    test::fixture f;
    store small(*std::pmr::new_delete_resource(), {420 * KiB, 1});
    engine run(small, f.lim);
    conversation talk(run, f.lim);
    test::append(talk, verb + " a 1 b " + std::string(60'000, 'x') + " c 3\nMGET a b c\n");
    CHECK(
        test::take_turns(talk, f.now) ==
        "ERROR OOM command not allowed when used memory > 'maxmemory'.\nLIST 3\n" + first +
            "\nNOT_FOUND\nNOT_FOUND\n");
}

TEST_CASE("a command whose reply has no room has done nothing") {
    test::fixture f;
    f.lim.reply_bytes_max = 1 * KiB;
    client c(f);
    const std::string old_value(2 * KiB, 'x');
    CHECK(c.say("PUT k " + old_value) == "OK\n");
    for (const std::string request : {"PUT k new GET", "GETEX k EX 100", "GETDEL k"}) {
        CAPTURE(request);
        CHECK(c.say(request).starts_with("ERROR ERR reply is over the limit"));
        CHECK(f.db.get("k", f.now) == old_value);
        CHECK(c.say("TTL k") == "-1\n");
    }
}

TEST_CASE("SCAN and DELPREFIX look at a bounded number of keys, whatever is asked for") {
    test::fixture f;
    f.lim.scan_keys_max = 100;
    client c(f);
    for (int i = 0; i < 5'000; ++i) {
        c.say("PUT " + std::to_string(i) + " v");
    }
    const auto found = c.say("SCAN 0 COUNT 1000000000");
    CHECK(std::ranges::count(found, '\n') < 200);
    CHECK_FALSE(found.starts_with("LIST 2\n0\n"));
    c.say("DELPREFIX 0 '' COUNT 9223372036854775807");
    CHECK(f.db.size() > 4'800);
}

TEST_CASE("every error reply is counted by its code, until CONFIG RESETSTAT") {
    test::fixture f;
    client c(f);
    c.say("NONSENSE");
    c.say("GET");
    c.say("INCRBY k x");
    c.say("GET k\x01");
    c.say("PUT k v");
    c.say("SSCAN k 0");
    c.say("MULTI\nNONSENSE\nEXEC");
    c.say("MULTI\nHSCAN k 0\nZSCAN k 0\nEXEC");
    CHECK(
        c.say("INFO errorstats") ==
        "LIST 4\n# Errorstats\nerrorstat_ERR:count=5\nerrorstat_EXECABORT:count=1\n"
        "errorstat_WRONGTYPE:count=3\n");
    CHECK(c.say("INFO stats").find("\ntotal_error_replies:9\n") != std::string::npos);
    CHECK(c.say("CONFIG RESETSTAT") == "OK\n");
    CHECK(c.say("INFO errorstats") == "LIST 1\n# Errorstats\n");
}

TEST_CASE("a request that MULTI cannot queue counts as rejected") {
    test::fixture f;
    f.lim.request_bytes = 40;
    client c(f);
    c.say("MULTI");
    c.say("PUT abcdefghij " + std::string(20, 'x'));
    c.say("CONFIG NONSENSE");
    c.say("DISCARD");
    f.lim.queued_requests_max = 1;
    c.say("MULTI\nGET a\nGET a");
    const auto stats = c.say("DISCARD\nINFO commandstats");
    CHECK(stats.find("\ncmdstat_get:calls=0,rejected_calls=1\n") != stats.npos);
    CHECK(stats.find("\ncmdstat_put:calls=0,rejected_calls=1\n") != stats.npos);
    CHECK(stats.find("\ncmdstat_config:calls=0,rejected_calls=1\n") != stats.npos);
}

TEST_CASE("CONFIG RESETSTAT sets every number of INFO's section stats to 0") {
    test::fixture f;
    client c(f);
    c.say("PUT a 1 PX 1\nPUT b 1\nGET b\nGET c\nNONSENSE");
    f.now += std::chrono::milliseconds(1);
    c.say("GET a");
    f.run.count.closed_foreign = f.run.count.closed_idle = f.run.count.closed_for_memory = 1;
    CHECK(f.db.expired() == 1);
    CHECK(c.say("CONFIG RESETSTAT") == "OK\n");
    auto stats = c.say("INFO stats");
    const std::string own = "\ntotal_commands_processed:1\n";  // INFO itself
    REQUIRE(stats.find(own) != stats.npos);
    stats.erase(stats.find(own), own.size() - 1);
    CHECK(std::ranges::count(stats, '\n') > 10);
    for (std::size_t at = stats.find(':'); at != stats.npos; at = stats.find(':', at + 1)) {
        CAPTURE(stats.substr(0, at + 3));
        CHECK(stats.substr(at, 3) == ":0\n");
    }
}

TEST_CASE("TIME reads the clock for each request, to the microsecond") {
    test::fixture f;
    f.now = time_point(std::chrono::milliseconds(1'234));
    client c(f);
    CHECK(c.say("TIME") == "LIST 2\n1\n234000\n");
    std::chrono::microseconds clock(1'700'000'000'000'000);
    f.run.wall_clock = [&] { return precise_time_point(++clock); };
    CHECK(c.say("TIME\nTIME") == "LIST 2\n1700000000\n1\nLIST 2\n1700000000\n2\n");
}

TEST_CASE("SSCAN, HSCAN and ZSCAN find nothing under an absent key, and refuse a string") {
    test::fixture f;
    client c(f);
    c.say("PUT k v");
    for (const std::string verb : {"SSCAN", "HSCAN", "zscan"}) {
        CAPTURE(verb);
        CHECK(c.say(verb + " absent 0") == "LIST 2\n0\nLIST 0\n");
        CHECK(c.say(verb + " absent 7 MATCH * COUNT 10 NOVALUES") == "LIST 2\n0\nLIST 0\n");
        CHECK(
            c.say(verb + " k 0") ==
            "ERROR WRONGTYPE Operation against a key holding the wrong kind of value\n");
        CHECK(c.say(verb + " absent x") == "INVALID invalid cursor\n");
        CHECK(c.say(verb + " absent").starts_with("INVALID wrong number of arguments"));
    }
}

TEST_CASE("in text, a value whose quotes have no room in a reply is not deleted either") {
    test::fixture f;
    f.lim.reply_bytes_max = 1 * KiB;
    client c(f);
    CHECK(
        c.say("PUT k \"" + std::string(1'000, 'x') + "\\n" + std::string(23, 'x') + "\"") ==
        "OK\n");
    for (const std::string request : {"PUT k new GET", "GETEX k EX 100", "GETDEL k", "GET k"}) {
        CAPTURE(request);
        CHECK(c.say(request).starts_with("ERROR ERR reply is over the limit of 1024 bytes"));
        CHECK(f.db.get("k", f.now)->size() == 1024);
        CHECK(c.say("TTL k") == "-1\n");
    }
}

TEST_CASE("APPEND and SETRANGE take memory for the new value, and no more") {
    test::fixture f;
    client c(f);
    const std::string value(60'000, 'x');
    for (const auto& change : {"APPEND k " + value, "SETRANGE k 60000 " + value}) {
        c.say("PUT k " + value);
        const auto before = f.run.client_memory().bytes_used();
        f.run.client_memory().reset_peak();
        CHECK(c.say(change) == "120000\n");
        CHECK(f.run.client_memory().peak() < before + 120'000 + 70 * KiB);
    }
}

TEST_CASE("keys that collide for a hash without a secret do not for who watches them") {
    // Two blocks of Murmur2, which libstdc++ uses, whose differences cancel each other out.
    constexpr std::uint64_t multiplier = 0xc6a4a7935bd1e995;
    constexpr std::uint64_t inverse = 0x5f7a0ea7e59b19bd;
    static_assert(multiplier * inverse == 1);
    const auto block = [](std::uint64_t mixed) {
        mixed *= inverse;
        mixed ^= mixed >> 47;
        mixed *= inverse;
        return std::string(reinterpret_cast<const char*>(&mixed), sizeof mixed);
    };
    constexpr std::uint64_t top = std::uint64_t{1} << 63;
    const auto one = block(1) + block(5);
    const auto other = block(1 ^ top) + block(5 ^ top);
#ifdef __GLIBCXX__
    CHECK(std::hash<std::string_view>()(one) == std::hash<std::string_view>()(other));
#endif
    const hash_secret secret(1);
    const keyed_hash keyed(secret);
    CHECK(keyed(one) != keyed(other));
    CHECK(keyed(one) == keyed(std::string(one)));
    const hash_secret other_secret(2);
    CHECK(keyed(one) != keyed_hash(other_secret)(one));
}
