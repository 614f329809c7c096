#include "support/catch.hpp"
#include "support/talk.hpp"
#include <butterdb/conversation/conversation.hpp>

#include <chrono>
#include <string>

using namespace butterdb;

TEST_CASE("CONFIG shows and changes settings under their own names and Redis's") {
    test::fixture f;
    conversation talk(f.run, f.lim);
    const auto say = [&](const std::string& line) {
        test::append(talk, line + "\n");
        return test::take_turns(talk, f.now);
    };
    CHECK(say("CONFIG GET max-value") == "LIST 2\nmax-value\n67108864\n");
    CHECK(say("CONFIG SET max-value 1KiB MAX-KEY 3") == "OK\n");
    CHECK(
        say("CONFIG GET max-value proto-max-bulk-len") ==
        "LIST 4\nmax-value\n1024\nproto-max-bulk-len\n1024\n");
    CHECK(
        say("PUT a " + std::string(1025, 'x')) ==
        "ERROR ERR value of 1025 bytes is over the limit of 1024 bytes (--max-value)\n");
    CHECK(say("CONFIG SET maxmemory 64mb timeout 7 eviction clock") == "OK\n");
    CHECK(f.db.ceiling() == 64 * MiB);
    CHECK(f.db.evicts());
    CHECK(f.lim.idle_timeout == std::chrono::seconds(7));
    CHECK(say("CONFIG GET maxmemory-policy") == "LIST 2\nmaxmemory-policy\nclock\n");
    CHECK(say("CONFIG SET maxmemory-policy noeviction") == "OK\n");
    CHECK_FALSE(f.db.evicts());
    CHECK(say("CONFIG GET databases") == "LIST 2\ndatabases\n1\n");
}

TEST_CASE("CONFIG GET bounds its patterns together, not each for itself") {
    test::fixture f;
    f.lim.pattern_bytes_max = 12;
    conversation talk(f.run, f.lim);
    const auto [patterns, reply] = GENERATE(table<std::string, std::string>({
        {"MAX-Key timeou", "ERROR ERR patterns of 13 bytes are over the limit of 12 bytes\n"},
        {"*************", "ERROR ERR patterns of 13 bytes are over the limit of 12 bytes\n"},
        {"MAX-K?Y ti*ut", "LIST 4\nmax-key\n65536\ntimeout\n0\n"},
        {"'' SAVE ''", "LIST 2\nsave\n\"\"\n"},
        {"''", "LIST 0\n"},
    }));
    test::append(talk, "CONFIG GET " + patterns + "\n");
    CHECK(test::take_turns(talk, f.now) == reply);
}

TEST_CASE("a name that is longer than every setting's is none of them") {
    test::fixture f;
    conversation talk(f.run, f.lim);
    test::append(talk, "CONFIG SET max-key" + std::string(1000, 'q') + " 1\n");
    CHECK(
        test::take_turns(talk, f.now) ==
        "ERROR ERR Unknown option or number of arguments for CONFIG SET - 'max-key" +
            std::string(121, 'q') + "'; CONFIG GET * lists all\n");
}

TEST_CASE("where CONFIG has made all as small as can be, AUTH and CONFIG still fit") {
    test::fixture f;
    const auto say = [&](const std::string& bytes) {
        conversation fresh(f.run, f.lim);
        test::append(fresh, bytes);
        return test::take_turns(fresh, f.now);
    };
    std::string smallest = "CONFIG SET";
    for (const auto& each : settings()) {
        if (each.when == setting::change::live) {
            smallest.append(" ").append(each.name).append(" ").append(std::to_string(each.least));
        }
    }
    CHECK(say(smallest + "\n") == "OK\n");
    CHECK(f.lim.request_bytes_max() == 64 * KiB);
    const std::string password(f.lim.password_bytes_max, 'x');
    const auto without_password = "ERR AUTH <password> called without any password";
    CHECK(say("AUTH " + password + "\n").find(without_password) != std::string::npos);
    CHECK(
        say("*2\r\n$4\r\nAUTH\r\n$512\r\n" + password + "\r\n").find(without_password) !=
        std::string::npos);
    CHECK(say("CONFIG SET client-query-buffer-limit 64KiB\n") == "OK\n");
    CHECK(
        say("*4\r\n$6\r\nCONFIG\r\n$3\r\nSET\r\n$25\r\nclient-query-buffer-limit\r\n"
            "$1\r\n0\r\n") == "+OK\r\n");
}

TEST_CASE("CONFIG SET changes all of what it is told, or says why nothing") {
    test::fixture f;
    f.lim.clients_possible = 20'000;
    conversation talk(f.run, f.lim);
    const auto before = f.lim.value_bytes_max;
    const auto [words, reason] = GENERATE(table<std::string, std::string>({
        {"nonsense 1", "Unknown option or number of arguments for CONFIG SET - 'nonsense'"},
        {"max-key 0", "'max-key') - max-key is a size from 1 to 512MiB, not '0'"},
        {"maxclients 20001", "the limit of open files allows 20000"},
        {"tcp-keepalive 1", "can't set immutable config: it is an option of the start"},
        {"port 1", "'port') - can't set immutable config"},
        {"maxmemory-policy allkeys-lru", "'eviction') - it is one of none, clock, noeviction"},
        {"bind 0.0.0.0", "Unknown option"},
        {"eviction clock max-key 0", "'max-key') - max-key is a size"},
        {"max-value 2KiB", "'max-value') - duplicate parameter"},
        {"PROTO-MAX-BULK-LEN 2KiB", "'PROTO-MAX-BULK-LEN') - duplicate parameter"},
        {"eviction clock maxmemory-policy noeviction", "'maxmemory-policy') - duplicate parameter"},
        {"max-key 0 max-key 1", "'max-key') - duplicate parameter"},
        {"max-key", "wrong number of arguments for 'config|set' command"},
    }));
    test::append(talk, "CONFIG SET max-value 1KiB " + words + "\n");
    const auto reply = test::take_turns(talk, f.now);
    CAPTURE(reply);
    CHECK(reply.find(reason) != reply.npos);
    CHECK(f.lim.value_bytes_max == before);
    CHECK_FALSE(f.db.evicts());
}
