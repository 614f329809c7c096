#include "conversation/dialogues.hpp"
#include "support/catch.hpp"
#include "support/failing_resource.hpp"
#include "support/talk.hpp"
#include <butterdb/conversation/conversation.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace butterdb;
using test::replies_to;

namespace {

struct dialogue {
    std::string sent;
    std::string expected;
};

const std::string usage_of_put =
    "PUT key value [NX|XX|IFEQ value] [GET] [EX s|PX ms|EXAT s|PXAT ms|KEEPTTL]";

// Short enough for all ways to cut them.
const std::vector<dialogue> short_dialogues{
    {"PUT a b\nGET a\n", "OK\nb\n"},
    {"DEL a\r\nPING\r\n", "NOT_FOUND\n+PONG\r\n"},
    {"\r\n\nGET a\r\n", "NOT_FOUND\n"},
    {"EXIT\nPUT a b\n", ""},
    {"QUIT x\nGET a\n", "+OK\r\n"},
    {"GET \"a\nGET b\n", "INVALID Protocol error: unbalanced quotes in request\n"},
    {"PUT \"\\n\" ' '\n", "OK\n"},
    {"ECHO a\n\x16\x03\x01\n", "a\n"},
    {"ECHO a\n*x\r\n", "a\n-ERR Protocol error: invalid multibulk length\r\n"},
    {"*1\r\n$4\r\nPING\r\n", "+PONG\r\n"},
    {"*0\r\nGET a\r\n", "$-1\r\n"},
    {"\rGET a\n", ""},
};

const std::vector<dialogue> long_dialogues{
    {"PUT name samarth\nGET name\nDEL name\nEXIT\n", "OK\nsamarth\nDELETED\n"},
    {"PUT a \"x y\"\nGET a\nPUT n NOT_FOUND\nGET n\nGET m\nDEL a\nDEL a\n",
     "OK\nx y\nOK\n\"NOT_FOUND\"\nNOT_FOUND\nDELETED\nNOT_FOUND\n"},
    {"FOO\nPUT k\nPUT k v w\nGET k\n",
     "INVALID unknown command 'FOO'; HELP lists the commands\n"
     "INVALID wrong number of arguments for 'put' command; usage: " +
         usage_of_put +
         "\n"
         "INVALID syntax error; usage: " +
         usage_of_put +
         " (with quotes around what has blanks)\n"
         "NOT_FOUND\n"},
    {"SET a 1\nset b 2\nDEL a b c\nEXISTS a b\nDBSIZE\n", "OK\nOK\n2\n0\n0\n"},
    {"PUT a 1\nPUT b 2\nEXISTS a a b c\nDBSIZE\nFLUSHALL async\nDBSIZE\nGET a\n",
     "OK\nOK\n3\n2\nOK\n0\nNOT_FOUND\n"},
    {"\"*\" \x01\nGET a\n",
     "INVALID control character outside quotes, write it as \"\\xHH\"\nNOT_FOUND\n"},
    {"ECHO \"\\x00\\xff\"\nECHO ''\nPING \"a b\"\nPING\n", "\"\\x00\xff\"\n\"\"\na b\n+PONG\r\n"},
    {"GET a\x01\nECHO still here\nECHO still-here\n",
     "INVALID control character outside quotes, write it as \"\\xHH\"\n"
     "INVALID wrong number of arguments for 'echo' command; usage: ECHO message (with quotes "
     "around what has blanks)\n"
     "still-here\n"},
    {"EXIT x\nQUIT\nPING\n",
     "INVALID wrong number of arguments for 'exit' command; usage: EXIT\n+OK\r\n"},
    {"PUT /x HTTP/1.1\r\nHost: localhost\r\n\r\nPUT pwn 1\n", ""},
    {"PUT a 1\nPOST / HTTP/1.1\r\nHost: x\r\n\r\nPUT a 2\n", "OK\n"},
    {"HELP get\nHELP nonsense\n",
     "LIST 1\nGET key - Gives the value of key.\nINVALID unknown command 'nonsense'\n"},
    {"PUT a \"x\\r\\ny\"\n*2\r\n$3\r\nGET\r\n$1\r\na\r\nGET a\r\nGET b\n",
     "OK\n$4\r\nx\r\ny\r\n$4\r\nx\r\ny\r\n$-1\r\n"},
    {"HELLO 3\nGET a\nRESET\nGET a\nEXIT\n",
     "%7\r\n$6\r\nserver\r\n$8\r\nbutterdb\r\n$7\r\nversion\r\n$5\r\n0.1.0\r\n$5\r\nproto\r\n:3\r\n"
     "$2\r\nid\r\n:1\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\n"
     "modules\r\n*0\r\n_\r\n+RESET\r\n$-1\r\n+OK\r\n"},
    {"MULTI\nSET a 1\nINCR a\nGET a b\nEXEC\nMULTI\nINCR a\nGET a\nEXEC\n",
     "OK\nQUEUED\nQUEUED\nINVALID wrong number of arguments for 'get' command; usage: GET key "
     "(with "
     "quotes around what has blanks)\nERROR EXECABORT Transaction discarded because of previous "
     "errors.\nOK\nQUEUED\nQUEUED\nLIST 2\n1\n1\n"},
    {"PUT a 1 NX\nPUT a 2 NX\nPUT a 2 IFEQ 1\nPUT a 3 IFEQ 1\nGETTTL a\nGETTTL b\nMGET a b\n",
     "OK\nNOT_STORED\nOK\nNOT_STORED\nLIST 2\n2\n-1\nNOT_FOUND\nLIST 2\n2\nNOT_FOUND\n"},
};

}  // namespace

TEST_CASE("a dialogue has its bytes exactly, for all ways to cut a short one") {
    for (const auto& [sent, expected] : short_dialogues) {
        CAPTURE(sent);
        REQUIRE(sent.size() <= 16);
        for (std::uint32_t cuts = 0; cuts < (1U << (sent.size() - 1)); ++cuts) {
            std::vector<std::string> pieces(1);
            for (std::size_t i = 0; i < sent.size(); ++i) {
                pieces.back() += sent[i];
                if (i + 1 < sent.size() && (cuts >> i & 1) != 0) {
                    pieces.emplace_back();
                }
            }
            REQUIRE(replies_to(pieces) == expected);
        }
    }
}

TEST_CASE("a dialogue has its bytes exactly, for every cut and for single bytes") {
    for (const auto& [sent, expected] : long_dialogues) {
        CAPTURE(sent);
        CHECK(replies_to(sent) == expected);
        for (std::size_t cut = 1; cut < sent.size(); ++cut) {
            REQUIRE(replies_to({sent.substr(0, cut), sent.substr(cut)}) == expected);
        }
        std::vector<std::string> bytes;
        for (const char c : sent) {
            bytes.emplace_back(1, c);
        }
        CHECK(replies_to(bytes) == expected);
    }
}

TEST_CASE("a value keeps its bytes through store and replies") {
    CHECK(replies_to("PUT k \"\\r\\n+OK\\x1b\\\"\"\nGET k\n") == "OK\n\"\\r\\n+OK\\x1b\\\"\"\n");
}

TEST_CASE("a line over the limit ends the conversation, and its tail is not executed") {
    const limits lim;
    const std::string longest = "ECHO " + std::string(lim.line_bytes_max - 5, 'x');
    CHECK(replies_to(longest + "\nPING\n").ends_with("x\n+PONG\r\n"));
    CHECK(replies_to(longest + "\r\nPING\n").ends_with("x\n+PONG\r\n"));
    CHECK(
        replies_to(longest + "x\nPUT other 1\n") ==
        "INVALID Protocol error: too big inline request\n");
    CHECK(
        replies_to({longest + "x", "\nPUT other 1\n"}) ==
        "INVALID Protocol error: too big inline request\n");
}

TEST_CASE("keys and values over their limits are refused with what to do") {
    test::fixture f;
    f.lim.key_bytes_max = 4;
    f.lim.value_bytes_max = 5;
    conversation talk(f.run, f.lim);
    test::append(talk, "PUT 12345 v\nPUT 1234 123456\nPUT 1234 12345\nGET 12345\nDBSIZE\n");
    CHECK(
        test::take_turns(talk, f.now) ==
        "ERROR ERR key of 5 bytes is over the limit of 4 bytes (--max-key)\n"
        "ERROR ERR value of 6 bytes is over the limit of 5 bytes (--max-value)\n"
        "OK\nNOT_FOUND\n1\n");
}

TEST_CASE("a first request that is too large is refused in its own dialect, at once") {
    limits lim;
    lim.value_bytes_max = lim.key_bytes_max = 50;
    const std::string expected =
        "-ERR argument of 60 bytes is over the limit of 50 bytes (--max-value)\r\n";
    const auto bulk = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$60\r\n" + std::string(60, 'x') + "\r\n";
    CHECK(replies_to({bulk}, lim) == expected);
    for (std::size_t cut = 1; cut < bulk.size(); ++cut) {
        REQUIRE(replies_to({bulk.substr(0, cut), bulk.substr(cut)}, lim) == expected);
    }
    CHECK(
        replies_to({"*2\r\n$60\r\n" + std::string(60, 'x') + "\r\nfoo"}, lim) ==
        "-ERR Protocol error: expected '$'\r\n");
    const auto two = "*3\r\n$60\r\n" + std::string(60, 'x') + "\r\n$1\r\na\r\n$1\r\nb\r\n";
    // The refusal is the last frame of a turn.
    CHECK(replies_to({two.substr(0, 40), two.substr(40)}, lim, 2) == expected);
}

TEST_CASE(
    "a reply over the limit becomes an error, and a transaction is carried out all the same") {
    limits lim;
    lim.reply_bytes_max = 100;
    const std::string script = "PUT a " + std::string(60, 'x') +
                               "\nMGET a a\nGET a\nMULTI\nGET a\nGET "
                               "a\nPUT b 1\nEXEC\nGET b\nKEYS *\n";
    CHECK(
        replies_to({script}, lim) ==
        "OK\nERROR ERR reply is over the limit of 100 bytes; ask for less at a time\n" +
            std::string(60, 'x') +
            "\nOK\nQUEUED\nQUEUED\nQUEUED\nERROR ERR reply is over the limit of 100 bytes; ask for "
            "less at a time\n1\nLIST 2\na\nb\n");
}

TEST_CASE("what a connection may keep has limits") {
    limits lim;
    lim.name_bytes_max = 5;
    lim.watched_keys_max = 2;
    lim.pattern_bytes_max = 3;
    lim.key_bytes_max = 10;
    CHECK(replies_to({"CLIENT SETNAME abcde\n"}, lim) == "OK\n");
    CHECK(replies_to({"CLIENT SETNAME abcdef\n"}, lim).starts_with("ERROR ERR Client names"));
    CHECK(replies_to({"WATCH a b\nWATCH c\n"}, lim).starts_with("OK\nERROR ERR too many"));
    CHECK(replies_to({"WATCH 01234567890\n"}, lim).starts_with("ERROR ERR key of 11 bytes"));
    CHECK(replies_to({"WAITKEY 01234567890 1\n"}, lim).starts_with("ERROR ERR key of 11 bytes"));
    CHECK(replies_to({"KEYS ****\n"}, lim).starts_with("ERROR ERR pattern of 4 bytes"));
    CHECK(replies_to({"SCAN 0 MATCH ****\n"}, lim).starts_with("ERROR ERR pattern of 4 bytes"));
    lim.request_bytes = 40;
    CHECK(
        replies_to({"MULTI\nPUT abcdefghij klmnopqrst\nEXEC\n"}, lim) ==
        "OK\nERROR ERR transaction of 47 bytes is over the limit of 40 bytes (--max-request)\n"
        "ERROR EXECABORT Transaction discarded because of previous errors.\n");
}

TEST_CASE("a full store refuses with OOM, counts and reports it, and goes on") {
    test::fixture f;
    store small(*std::pmr::new_delete_resource(), {420 * KiB, 1});
    engine run(small, f.lim);
    int reported = 0;
    run.on_write_refused = [&] { ++reported; };
    conversation talk(run, f.lim);
    test::append(talk, "PUT a 1\nPUT b " + std::string(60'000, 'x') + "\nGET a\nGET b\n");
    CHECK(
        test::take_turns(talk, f.now) ==
        "OK\nERROR OOM command not allowed when used memory > 'maxmemory'.\n1\nNOT_FOUND\n");
    CHECK(reported == 1);
    CHECK(run.count.rejected_writes() == 1);
}

TEST_CASE("as many requests are executed as the turn allows, and the rest follows") {
    test::fixture f;
    conversation talk(f.run, f.lim);
    std::string script;
    for (std::size_t i = 0; i < 150; ++i) {
        script += "PING\n";
    }
    test::append(talk, script);
    CHECK(talk.receive(f.now, 100) == 100);
    CHECK(talk.output().size() == 7 * 100);
    CHECK(talk.backlog());
    CHECK(talk.receive(f.now, 100) == 50);
    CHECK(talk.output().size() == 7 * 150);
    CHECK_FALSE(talk.backlog());
}

TEST_CASE("a turn ends after its share of output") {
    test::fixture f;
    conversation talk(f.run, f.lim);
    test::append(talk, "PUT k " + std::string(40'000, 'x') + "\n");
    test::take_turns(talk, f.now);
    test::append(talk, "GET k\nGET k\nGET k\nGET k\n");
    CHECK(talk.receive(f.now, 100) == 2);
    CHECK(talk.output().size() == 2 * 40'001);
    CHECK(talk.backlog());
}

TEST_CASE("a turn ends after a request that moves large values within the store") {
    test::fixture f;
    conversation talk(f.run, f.lim);
    test::append(talk, "PUT k " + std::string(60'000, 'x') + "\n");
    test::take_turns(talk, f.now);
    test::append(talk, "APPEND k 1234567\nAPPEND k 1234567\nSTRLEN k\n");
    CHECK(talk.receive(f.now, 100) == 3);
    test::append(talk, "APPEND k " + std::string(5'600, 'x') + "\nSTRLEN k\nSTRLEN k\n");
    CHECK(talk.receive(f.now, 100) == 1);
    CHECK(talk.backlog());
    CHECK(talk.receive(f.now, 100) == 2);
}

TEST_CASE("a request has begun once its first byte is there, until its last") {
    test::fixture f;
    conversation talk(f.run, f.lim);
    CHECK_FALSE(talk.in_request());
    test::append(talk, "PING\nPI");
    CHECK(talk.receive(f.now, 100) == 1);
    CHECK(talk.in_request());
    test::append(talk, "NG\n");
    CHECK(talk.receive(f.now, 100) == 1);
    CHECK_FALSE(talk.in_request());
    // One that is too large is taken off the input unread: that counts as one request, at its end.
    test::append(talk, "*2\r\n$4\r\nECHO\r\n$100000000\r\nx");
    CHECK(talk.receive(f.now, 100) == 0);
    CHECK(talk.input().empty());
    CHECK(talk.in_request());
}

TEST_CASE("the input buffer of a long argument ends where the argument does") {
    test::fixture f;
    conversation talk(f.run, f.lim);
    test::append(talk, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3000000\r\n");
    std::size_t arrived = 0;
    while (arrived < 3'000'002) {
        REQUIRE(talk.receive(f.now, 100) == 0);
        REQUIRE(talk.make_input_room(64 * KiB));
        const auto count = std::min<std::size_t>(
            {64 * KiB, talk.input().capacity() - talk.input().size(), 3'000'002 - arrived});
        CHECK(count > 0);
        std::memset(talk.input().prepare(count), arrived + count == 3'000'002 ? '\n' : 'x', count);
        talk.input().commit(count);
        arrived += count;
        CHECK(talk.input().capacity() < 3'000'000 + 2 * KiB);
        CHECK(talk.input().capacity() <= 2 * talk.input().size() + 2 * KiB);
    }
}

TEST_CASE("a value of a power of two doubles no buffer for its last bytes") {
    test::fixture f;
    conversation talk(f.run, f.lim);
    const std::size_t bytes = 4 * MiB;
    const auto head = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$" + std::to_string(bytes) + "\r\n";
    std::string rest = head + std::string(bytes, 'x') + "\r\n";
    const auto whole = rest.size();
    while (!rest.empty()) {
        REQUIRE(talk.make_input_room(64 * KiB));
        auto& input = talk.input();
        const auto part = std::min(rest.size(), input.capacity() - input.size());
        input.append(std::string_view(rest).substr(0, part));
        rest.erase(0, part);
        CHECK(input.capacity() < whole + 4 * KiB);
        talk.receive(f.now, 100);
    }
    CHECK(talk.output() == "+OK\r\n");
}

TEST_CASE("a small argument behind a large one does not double the buffer") {
    test::fixture f;
    const auto small = GENERATE(std::size_t{2}, 900 * KiB);
    conversation talk(f.run, f.lim);
    const std::size_t bytes = 4 * MiB;
    const auto head = "*4\r\n$4\r\nMSET\r\n$1\r\nk\r\n$" + std::to_string(bytes) + "\r\n";
    test::append(talk, head + std::string(bytes, 'x') + "\r\n$" + std::to_string(small) + "\r\n");
    talk.receive(f.now, 100);
    REQUIRE(talk.make_input_room(64 * KiB));
    CHECK(talk.input().capacity() < (bytes + small) * 4 / 3);
    f.lim.request_bytes = bytes + 64 * KiB;
    conversation bounded(f.run, f.lim);
    test::append(bounded, head + std::string(bytes, 'x') + "\r\n$2\r\n");
    bounded.receive(f.now, 100);
    REQUIRE(bounded.make_input_room(64 * KiB));
    CHECK(bounded.input().capacity() < bytes + 65 * KiB);
}

TEST_CASE("a request of many arguments is not moved once for each") {
    test::fixture f;
    test::failing_resource memory;
    engine run(f.db, f.lim, memory);
    conversation talk(run, f.lim);
    std::string rest = "*20001\r\n$4\r\nMSET\r\n";
    for (int i = 0; i < 10'000; ++i) {
        rest += "$1\r\nk\r\n$1000\r\n" + std::string(1'000, 'x') + "\r\n";
    }
    const auto whole = rest.size();
    for (std::size_t at = 0; at < whole;) {
        REQUIRE(talk.make_input_room(64 * KiB));
        const auto room = talk.input().room().size();
        const auto part = std::min<std::size_t>({whole - at, room, 16 * KiB});
        talk.input().append(std::string_view(rest).substr(at, part));
        at += part;
        talk.receive(f.now, 100);
    }
    CHECK(talk.output() == "+OK\r\n");
    CHECK(memory.bytes_allocated() < 8 * whole);
}

TEST_CASE("an idle client gives back what its requests needed") {
    test::fixture f;
    conversation talk(f.run, f.lim);
    for (int i = 0; i < 100; ++i) {
        while (talk.input().size() < talk.input().capacity()) {
            test::append(talk, "\n");
        }
        test::take_turns(talk, f.now);
    }
    CHECK(talk.input().capacity() == f.lim.input_bytes_steady);
    CHECK(talk.roomy());
    test::append(talk, "PI");
    talk.tidy();
    CHECK(talk.input().capacity() == f.lim.input_bytes_initial);
    CHECK_FALSE(talk.roomy());
    test::append(talk, "NG\n");
    CHECK(test::take_turns(talk, f.now) == "+PONG\r\n");
}

TEST_CASE("the input buffer grows while it is filled and shrinks when little arrives") {
    test::fixture f;
    conversation talk(f.run, f.lim);
    CHECK(talk.input().capacity() == f.lim.input_bytes_initial);
    const auto fill = [&] {
        auto& input = talk.input();
        while (input.size() < input.capacity()) {
            input.append('\n');
        }
        test::take_turns(talk, f.now);
    };
    for (int i = 0; i < 20; ++i) {
        fill();
    }
    CHECK(talk.input().capacity() == f.lim.input_bytes_steady);
    test::append(talk, "ECHO " + std::string(60'000, 'x') + "\n");
    test::take_turns(talk, f.now);
    CHECK(talk.input().capacity() <= f.lim.input_bytes_steady);
    for (int i = 0; i < 1000; ++i) {
        test::append(talk, "PING\n");
        test::take_turns(talk, f.now);
    }
    CHECK(talk.input().capacity() == f.lim.input_bytes_initial);
}

TEST_CASE("INFO has the fields that programs read, by section") {
    test::fixture f;
    f.run.facts = {42, 9090, time_point{}, nullptr};
    f.now = time_point{} + std::chrono::seconds(7);
    conversation talk(f.run, f.lim);
    test::append(talk, "PUT a 1\nGET a\nGET b\nINFO\n");
    const auto all = test::take_turns(talk, f.now);
    CHECK(all.find("\nprocess_id:42\n") != all.npos);
    CHECK(all.find("\nuptime_in_seconds:7\n") != all.npos);
    CHECK(all.find("\nconnected_clients:0\n") != all.npos);
    CHECK(all.find("\nused_memory:" + std::to_string(f.db.bytes_used()) + "\n") != all.npos);
    CHECK(all.find("\ntotal_commands_processed:4\n") != all.npos);
    CHECK(all.find("\nkeyspace_hits:1\n") != all.npos);
    CHECK(all.find("\nkeyspace_misses:1\n") != all.npos);
    CHECK(all.find("\nprefetched_keys:0\n") != all.npos);
    test::append(talk, "INFO stats\nINFO nonsense\n");
    const auto stats = test::take_turns(talk, f.now);
    const auto end_of_stats = stats.find("\nLIST 0\n");
    REQUIRE(end_of_stats + std::string_view("\nLIST 0\n").size() == stats.size());
    const auto list = std::string_view(stats).substr(0, end_of_stats + 1);
    const auto fields = std::ranges::count(list, '\n') - 1;  // without the line "LIST n"
    CHECK(list.starts_with("LIST " + std::to_string(fields) + "\n# Stats\n"));
}

TEST_CASE("whichever allocation of a conversation fails, the store keeps what it had") {
    using mode = test::failing_resource::mode;
    const auto how = GENERATE(mode::once, mode::from_then_on);
    std::string script = "PUT a 1\nDEL b\nECHO " + std::string(20'000, 'x') + "\nGET a\n";
    bool completed = false;
    for (std::uint64_t number = 1; !completed; ++number) {
        test::fixture f;
        test::failing_resource memory;
        memory.fail_at(number, how);
        try {
            engine run(f.db, f.lim, memory);
            conversation talk(run, f.lim);
            test::append(talk, script);
            const auto replies = test::take_turns(talk, f.now);
            completed = !memory.has_failed();
            CHECK(replies == "OK\nNOT_FOUND\n" + std::string(20'000, 'x') + "\n1\n");
        } catch (const std::bad_alloc&) {
            CHECK(memory.has_failed());
        }
        CHECK(memory.bytes_held() == 0);
        const auto stored = f.db.get("a", f.now);
        CHECK((!stored || *stored == "1"));
        REQUIRE(number < 100);
    }
}

TEST_CASE("whichever allocation of a wait for a key fails, whoever writes it meets nobody gone") {
    using mode = test::failing_resource::mode;
    const auto how = GENERATE(mode::once, mode::from_then_on);
    const std::string key(40, 'k');  // too long to lie in a string itself
    bool completed = false;
    for (std::uint64_t number = 1; !completed; ++number) {
        test::fixture f;
        test::failing_resource memory;
        engine run(f.db, f.lim, memory);
        std::optional<conversation> talk(std::in_place, run, f.lim);
        memory.fail_at(number, how);
        try {
            test::append(*talk, "WAITKEY " + key + " 0\n");
            talk->receive(f.now, 100);
            completed = talk->parked();
        } catch (const std::bad_alloc&) {
            CHECK(memory.has_failed());
        }
        memory.never_fail();
        talk.reset();
        CHECK(memory.bytes_held() == 0);
        conversation other(run, f.lim);
        test::append(other, "PUT " + key + " v\n");
        CHECK(test::take_turns(other, f.now) == "OK\n");
        CHECK(run.waiting_clients() == 0);
        REQUIRE(number < 100);
    }
}

TEST_CASE("a key that was waited for, and is too long for a reply, is refused") {
    test::fixture f;
    f.lim.reply_bytes_max = 1 * KiB;
    conversation talk(f.run, f.lim);
    test::append(talk, "WAITKEY k 0\n");
    CHECK(test::take_turns(talk, f.now).empty());
    conversation other(f.run, f.lim);
    test::append(other, "PUT k " + std::string(2 * KiB, 'x') + "\n");
    CHECK(test::take_turns(other, f.now) == "OK\n");
    CHECK(test::take_turns(talk, f.now).starts_with("ERROR ERR reply is over the limit of 1024 "));
    CHECK(talk.open());
    CHECK_FALSE(talk.parked());
}

TEST_CASE("when all clients together hold too much, the one that holds most is closed") {
    test::fixture f;
    f.lim.client_memory = 300'000;
    std::vector<std::unique_ptr<conversation>> clients;
    std::vector<bool> cut(4);
    for (std::size_t i = 0; i < cut.size(); ++i) {
        clients.push_back(std::make_unique<conversation>(f.run, f.lim));
        clients.back()->who().cut = [&cut, i] { cut[i] = true; };
    }
    const auto hold = [&](std::size_t i, std::size_t bytes) {
        test::append(*clients[i], "*2\r\n$4\r\nECHO\r\n$1000000\r\n" + std::string(bytes, 'x'));
        clients[i]->receive(f.now, 100);
    };
    SECTION("the largest goes, and nobody else once it is on its way") {
        hold(0, 50'000);
        hold(1, 150'000);
        CHECK(cut == std::vector{false, false, false, false});
        hold(2, 120'000);
        CHECK(cut == std::vector{false, true, false, false});
        CHECK_FALSE(clients[1]->open());
        hold(3, 80'000);
        CHECK(cut == std::vector{false, true, false, false});
        clients[1].reset();
        CHECK(f.run.client_memory().bytes_used() <= f.lim.client_memory);
        hold(0, 100'000);
        CHECK(cut == std::vector{true, true, false, false});
        CHECK(f.run.count.closed_for_memory == 2);
    }
    SECTION("a reply larger than all may hold is refused, not built") {
        f.lim.value_bytes_max = 200'000;
        test::append(
            *clients[0],
            "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100000\r\n" + std::string(100'000, 'x') + "\r\n");
        CHECK(test::take_turns(*clients[0], f.now) == "+OK\r\n");
        test::append(*clients[0], "MGET k k k k k k k k k\n");
        CHECK(test::take_turns(*clients[0], f.now).starts_with("-ERR "));
        CHECK_FALSE(cut[0]);
    }
    SECTION("who is exempt stays, unless those who are hold more than their share") {
        for (std::size_t i = 0; i < 2; ++i) {
            test::append(*clients[i], "CLIENT NO-EVICT ON\n");
            CHECK(test::take_turns(*clients[i], f.now) == "OK\n");
        }
        hold(0, 50'000);
        hold(2, 120'000);
        hold(3, 140'000);
        CHECK(cut == std::vector{false, false, false, true});
        clients[3].reset();
        hold(1, 140'000);
        CHECK(cut == std::vector{false, true, false, true});
        CHECK(clients[2]->open());
    }
    SECTION("what is queued, watched and waited for counts") {
        test::append(*clients[0], "MULTI\n");
        for (int i = 0; i < 10; ++i) {
            test::append(*clients[0], "PUT a " + std::string(40'000, 'x') + "\n");
        }
        test::take_turns(*clients[0], f.now);
        CHECK(cut[0]);
        for (int i = 0; i < 10; ++i) {
            test::append(
                *clients[1], "WATCH " + std::string(60'000, static_cast<char>('a' + i)) + "\n");
            test::take_turns(*clients[1], f.now);
        }
        CHECK(cut[1]);
    }
    clients.clear();
    CHECK(f.run.client_memory().bytes_used() == 0);
}

TEST_CASE("a reply and a transaction below their limits close no client") {
    test::fixture f;
    f.lim.client_memory = 1 * MiB;
    f.lim.request_bytes = 900'000;
    conversation talk(f.run, f.lim);
    for (char key = 'a'; key < 'j'; ++key) {
        test::append(talk, std::string("PUT ") + key + " " + std::string(60'000, 'x') + "\n");
    }
    test::take_turns(talk, f.now);
    test::append(talk, "MGET a b c d e f g h i a b c d e f g\n");
    CHECK(test::take_turns(talk, f.now).size() == 8 + 16 * 60'001);
    test::append(talk, "MULTI\n");
    for (int i = 0; i < 14; ++i) {
        test::append(talk, "PUT a " + std::string(60'000, 'x') + "\n");
        test::take_turns(talk, f.now);
    }
    test::append(talk, "EXEC\n");
    CHECK(test::take_turns(talk, f.now).starts_with("LIST 14\nOK\n"));
    CHECK(talk.open());
}

TEST_CASE("a value whose quotes make it too long for a reply closes no client") {
    test::fixture f;
    f.lim.client_memory = 1 * MiB;
    conversation writer(f.run, f.lim);
    conversation reader(f.run, f.lim);
    const auto put = [](std::size_t bytes) {
        return "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$" + std::to_string(bytes) + "\r\n" +
               std::string(bytes, '\0') + "\r\n";
    };
    test::append(writer, put(250'000));
    CHECK(test::take_turns(writer, f.now) == "+OK\r\n");
    test::append(reader, "GET k\n");
    CHECK(test::take_turns(reader, f.now).size() == 4 * 250'000 + 3);
    test::append(writer, put(260'000));
    CHECK(test::take_turns(writer, f.now) == "+OK\r\n");
    test::append(reader, "GET k\n");
    CHECK(
        test::take_turns(reader, f.now) ==
        "ERROR ERR reply is over the limit of 1015808 bytes; ask for less at a time\n");
    CHECK(reader.open());
}

TEST_CASE("clients side by side get what the reference says, whatever they say and whenever") {
    for (std::uint64_t seed = 1; seed <= 5'000; ++seed) {
        CAPTURE(seed);
        test::choices choose(seed, 2'000);
        REQUIRE_NOTHROW(test::run_dialogues(choose));
    }
}

TEST_CASE("the keys of whole requests are prefetched once, before the first request runs") {
    test::fixture f;
    conversation talk(f.run, f.lim);
    const std::string get = "*2\r\n$3\r\nGET\r\n$1\r\na\r\n";
    const std::string put = "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$2\r\nvw\r\n";

    SECTION("read ahead while other clients are read") {
        test::append(talk, put + get + get);
        talk.foresee();
        f.run.fetch_expected();
        CHECK(f.db.prefetched() == 3);
        CHECK(test::take_turns(talk, f.now) == "+OK\r\n$2\r\nvw\r\n$2\r\nvw\r\n");
        CHECK(f.db.prefetched() == 3);
    }
    SECTION("one request is prefetched while other clients are read") {
        test::append(talk, get);
        talk.foresee();
        f.run.fetch_expected();
        CHECK(f.db.prefetched() == 1);
    }
    SECTION("a pipeline of the only client") {
        test::append(talk, put + get);
        CHECK(test::take_turns(talk, f.now) == "+OK\r\n$2\r\nvw\r\n");
        CHECK(f.db.prefetched() == 2);
    }
    SECTION("a single request of the only client runs without a prefetch") {
        test::append(talk, put);
        test::take_turns(talk, f.now);
        CHECK(f.db.prefetched() == 0);
    }
    SECTION("a request without a key, and a line, ask for nothing") {
        test::append(talk, "*1\r\n$4\r\nPING\r\n");
        talk.foresee();
        test::take_turns(talk, f.now);
        test::append(talk, "GET a\nGET a\n");
        talk.foresee();
        test::take_turns(talk, f.now);
        f.run.fetch_expected();
        CHECK(f.db.prefetched() == 0);
    }
}

TEST_CASE("what was looked ahead at is read anew when it is another") {
    test::fixture f;
    f.lim.input_bytes_initial = 64;
    conversation talk(f.run, f.lim);
    const std::string get = "*2\r\n$3\r\nGET\r\n$1\r\na\r\n";
    const std::string put = "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$2\r\nvw\r\n";

    SECTION("nothing has changed") {
        test::append(talk, put + get);
        talk.foresee();
        CHECK(test::take_turns(talk, f.now) == "+OK\r\n$2\r\nvw\r\n");
    }
    SECTION("more has come, and the input lies elsewhere") {
        test::append(talk, put);
        talk.foresee();
        test::append(talk, get + get + get);
        CHECK(test::take_turns(talk, f.now) == "+OK\r\n$2\r\nvw\r\n$2\r\nvw\r\n$2\r\nvw\r\n");
    }
    SECTION("its memory has been given back") {
        test::append(talk, put);
        talk.foresee();
        talk.tidy();
        CHECK(test::take_turns(talk, f.now) == "+OK\r\n");
    }
    SECTION("a limit is another") {
        const std::string long_value(1025, 'v');
        test::append(talk, "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1025\r\n" + long_value + "\r\n");
        talk.foresee();
        conversation other(f.run, f.lim);
        test::append(other, "CONFIG SET max-value 1KiB\n");
        test::take_turns(other, f.now);
        test::append(other, "CONFIG SET max-key 1\n");
        test::take_turns(other, f.now);
        CHECK(test::take_turns(talk, f.now).starts_with("-ERR argument of 1025 bytes is over"));
    }
    SECTION("only some of it may be executed") {
        test::append(talk, put + get + get);
        talk.foresee();
        CHECK(test::take_turns(talk, f.now, 1) == "+OK\r\n$2\r\nvw\r\n$2\r\nvw\r\n");
    }
}
