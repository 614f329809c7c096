#include "support/catch.hpp"
#include "support/talk.hpp"
#include <butterdb/conversation/conversation.hpp>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

using namespace butterdb;

namespace {

// A server with the password `secret`.
struct guarded : test::fixture {
    guarded() {
        run.admits = [](std::string_view said) { return said == "secret"; };
    }
};

}  // namespace

TEST_CASE("without the password nothing is done but what lets a client in or out") {
    guarded f;
    conversation talk(f.run, f.lim);
    const auto say = [&](const std::string& bytes) {
        test::append(talk, bytes);
        return test::take_turns(talk, f.now);
    };
    for (const auto& row : verbs()) {
        CAPTURE(row.name);
        conversation stranger(f.run, f.lim);
        std::string request(row.name);
        for (std::size_t i = 1; i < row.arguments_min; ++i) {
            request += " 1";
        }
        test::append(stranger, request + "\n");
        const auto reply = test::take_turns(stranger, f.now);
        const bool open = row.name == "AUTH" || row.name == "HELLO" || row.name == "RESET" ||
                          row.name == "QUIT" || row.name == "EXIT";
        CHECK((reply == "ERROR NOAUTH Authentication required.\n") == !open);
    }
    CHECK(f.db.size() == 0);
    CHECK(say("AUTH abc\n").starts_with("ERROR WRONGPASS "));
    CHECK(say("AUTH \"secret\\x00x\"\n").starts_with("ERROR WRONGPASS "));
    CHECK(say("AUTH other secret\n").starts_with("ERROR WRONGPASS "));
    CHECK(say("HELLO 3\n").starts_with("ERROR NOAUTH HELLO must be called"));
    CHECK(say("AUTH secret\nPUT a 1\n") == "+OK\r\nOK\n");
    CHECK(say("AUTH wrong\nGET a\n").ends_with("\n1\n"));  // who is in stays in
    CHECK(say("RESET\nGET a\n") == "RESET\nERROR NOAUTH Authentication required.\n");
    CHECK(say("HELLO 2 AUTH default secret SETNAME n\nCLIENT GETNAME\n").ends_with("$1\r\nn\r\n"));
    CHECK(f.run.count.passwords_failed == 5);
}

TEST_CASE("an empty user is no user, in HELLO either") {
    guarded f;
    conversation talk(f.run, f.lim);
    test::append(talk, "*5\r\n$5\r\nHELLO\r\n$1\r\n2\r\n$4\r\nAUTH\r\n$0\r\n\r\n$6\r\nsecret\r\n");
    CHECK(test::take_turns(talk, f.now).starts_with("-WRONGPASS "));
    CHECK(talk.is_stranger());
    test::append(talk, "AUTH \"\" secret\n");
    CHECK(test::take_turns(talk, f.now).starts_with("-WRONGPASS "));
    CHECK(talk.is_stranger());
}

TEST_CASE("a right password has to wait where the attempts of its network are paced") {
    guarded f;
    std::chrono::milliseconds span{0};
    f.run.on_wait = [&](const peer&, std::chrono::milliseconds asked) { span = asked; };
    f.run.pace_password = [](const peer&, bool) { return std::chrono::milliseconds(300); };
    conversation talk(f.run, f.lim);
    int changes = 0;
    talk.who().login_changed = [&] { ++changes; };
    const auto [request, reply] = GENERATE(table<std::string, std::string>({
        {"AUTH secret\nCLIENT GETNAME\n", "+OK\r\nNOT_FOUND\n"},
        {"AUTH guess\nCLIENT GETNAME\n",
         "ERROR WRONGPASS invalid username-password pair or user is disabled.\n"
         "ERROR NOAUTH Authentication required.\n"},
        {"HELLO 3 AUTH default secret SETNAME n\nCLIENT GETNAME\n", "%7\r\n"},
    }));
    test::append(talk, request);
    CHECK(test::take_turns(talk, f.now).empty());
    CHECK(talk.parked());
    CHECK(talk.is_stranger());
    CHECK(span == std::chrono::milliseconds(300));
    f.run.wake_late(talk.who().waits_until);
    const auto said = test::take_turns(talk, f.now);
    CHECK(said.starts_with(reply));
    const bool is_right = reply.find("WRONGPASS") == reply.npos;
    CHECK(talk.is_stranger() != is_right);
    CHECK(changes == (is_right ? 1 : 0));
    CHECK((talk.who().name == "n") == request.starts_with("HELLO"));
    if (request.starts_with("HELLO")) {
        CHECK(said.ends_with("$1\r\nn\r\n"));
    }
}

TEST_CASE("who is in says passwords without waiting for others' attempts") {
    guarded f;
    conversation talk(f.run, f.lim);
    test::append(talk, "AUTH secret\n");
    test::take_turns(talk, f.now);
    f.run.pace_password = [](const peer&, bool) { return std::chrono::milliseconds(300); };
    test::append(talk, "AUTH secret\n");
    CHECK(test::take_turns(talk, f.now) == "+OK\r\n");
}

TEST_CASE("answers to wrong passwords come later and later, and the tenth is the last") {
    guarded f;
    std::chrono::milliseconds span{0};
    f.run.on_wait = [&](const peer&, std::chrono::milliseconds asked) { span = asked; };
    conversation talk(f.run, f.lim);
    bool cut = false;
    talk.who().cut = [&] { cut = true; };
    const std::string wrong =
        "ERROR WRONGPASS invalid username-password pair or user is disabled.\n";
    for (int i = 0; i < 3; ++i) {
        test::append(talk, "AUTH guess\n");
        CHECK(test::take_turns(talk, f.now) == wrong);
    }
    std::int64_t expected = 100;
    for (int i = 3; i < 9; ++i) {
        test::append(talk, "AUTH guess\nECHO behind\n");
        CHECK(test::take_turns(talk, f.now).empty());
        CHECK(talk.parked());
        CHECK(span == std::chrono::milliseconds(expected));
        CHECK(test::take_turns(talk, f.now).empty());
        f.run.wake_late(talk.who().waits_until);
        CHECK(test::take_turns(talk, f.now) == wrong + "ERROR NOAUTH Authentication required.\n");
        expected *= 2;
    }
    test::append(talk, "AUTH guess\nAUTH secret\n");
    CHECK(test::take_turns(talk, f.now) == wrong);
    CHECK_FALSE(talk.open());
}

TEST_CASE("who waits for the answer to a wrong password and gives up is closed unanswered") {
    guarded f;
    conversation talk(f.run, f.lim);
    test::append(talk, "AUTH a\nAUTH b\nAUTH c\n");
    test::take_turns(talk, f.now);
    test::append(talk, "AUTH d\n");
    CHECK(test::take_turns(talk, f.now).empty());
    talk.give_up_waiting();
    CHECK_FALSE(talk.open());
    CHECK(test::take_turns(talk, f.now).empty());
}

TEST_CASE("strangers have narrow limits, which go with the password") {
    guarded f;
    const auto bulk = [](std::size_t bytes) {
        return std::string("$")
            .append(std::to_string(bytes))
            .append("\r\n")
            .append(bytes, 'x')
            .append("\r\n");
    };
    const auto reply_to_stranger = [&](const std::string& bytes) {
        conversation talk(f.run, f.lim);
        test::append(talk, bytes);
        auto reply = test::take_turns(talk, f.now);
        CHECK(talk.open() == !reply.ends_with("length\r\n"));
        return reply;
    };
    CHECK(
        reply_to_stranger("*11\r\n$4\r\nPING\r\n") ==
        "-ERR Protocol error: unauthenticated multibulk length\r\n");
    CHECK(
        reply_to_stranger("*2\r\n$4\r\nECHO\r\n$16385\r\n") ==
        "-ERR Protocol error: unauthenticated bulk length\r\n");
    CHECK(
        reply_to_stranger(
            "*5\r\n" + bulk(16'000) + bulk(16'000) + bulk(16'000) + bulk(16'000) + bulk(16'000)) ==
        "-ERR Protocol error: unauthenticated request length\r\n");
    CHECK(
        reply_to_stranger("*2\r\n$4\r\nECHO\r\n" + bulk(16'384)) ==
        "-NOAUTH Authentication required.\r\n");
    CHECK(
        reply_to_stranger("ECHO 1 2 3 4 5 6 7 8 9 10\n") ==
        "INVALID too many arguments in one request\n");
    // The same requests behind the password.
    CHECK(
        reply_to_stranger(
            "*2\r\n$4\r\nAUTH\r\n$6\r\nsecret\r\n*2\r\n$4\r\nECHO\r\n" + bulk(20'000)) ==
        "+OK\r\n" + bulk(20'000));
}

TEST_CASE("strangers who hold much together go before the client that holds most") {
    guarded f;
    f.lim.client_memory = 1'000'000;
    std::vector<std::unique_ptr<conversation>> clients;
    std::vector<bool> cut(10);
    for (std::size_t i = 0; i < cut.size(); ++i) {
        clients.push_back(std::make_unique<conversation>(f.run, f.lim));
        clients.back()->who().cut = [&cut, i] { cut[i] = true; };
    }
    const auto hold = [&](std::size_t i, std::size_t bytes) {
        test::append(*clients[i], "*9\r\n");
        for (std::size_t done = 0; done < bytes; done += 15'000) {
            test::append(*clients[i], "$15000\r\n" + std::string(15'000, 'x') + "\r\n");
        }
        clients[i]->receive(f.now, 100);
    };
    test::append(*clients[0], "AUTH secret\n");
    CHECK(test::take_turns(*clients[0], f.now) == "+OK\r\n");
    for (std::size_t i = 1; i < cut.size(); ++i) {
        hold(i, 60'000);
    }
    CHECK(std::ranges::count(cut, true) == 0);
    test::append(
        *clients[0], "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$800000\r\n" + std::string(600'000, 'x'));
    clients[0]->receive(f.now, 100);
    CHECK_FALSE(cut[0]);
    CHECK(std::ranges::count(cut, true) > 0);
}

TEST_CASE("a stranger's turn ends after little output") {
    guarded f;
    conversation talk(f.run, f.lim);
    std::string requests;
    for (int i = 0; i < 1000; ++i) {
        requests += "PING\n";
    }
    test::append(talk, requests);
    talk.receive(f.now, 1000);
    CHECK(talk.output().size() < f.lim.stranger_output_bytes_max + 100);
    CHECK(talk.backlog());
}
