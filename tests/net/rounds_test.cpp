#include "support/catch.hpp"
#include <butterdb/net/rounds.hpp>

#include <exception>
#include <string>

using namespace butterdb;

namespace {

// Writes what it does behind its name.
task<> reads_and_acts(rounds& round, char name, std::string& seen, int rounds) {
    for (; rounds > 0; --rounds) {
        seen += {'r', name, ' '};
        co_await round.to_act(false);
        seen += {'a', name, ' '};
        co_await round.to_read();
    }
}

void ignore(const std::exception_ptr&) {}

}  // namespace

TEST_CASE("all that is ready is read before the first acts, and all act before one reads on") {
    asio::io_context io;
    std::string seen;
    rounds round(io.get_executor(), [&] { seen += "| "; });
    for (const char name : {'1', '2', '3'}) {
        spawn(reads_and_acts(round, name, seen, 2), ignore);
    }
    io.run();
    CHECK(seen == "r1 r2 r3 | a1 a2 a3 r1 r2 r3 | a1 a2 a3 ");
}

TEST_CASE("who joins while others act has the next turn") {
    asio::io_context io;
    std::string seen;
    rounds round(io.get_executor());
    const auto brings_another = [&]() -> task<> {
        co_await round.to_act(false);
        seen += "first ";
        spawn(reads_and_acts(round, '2', seen, 1), ignore);
        co_await round.to_act(true);
        seen += "again ";
    };
    spawn(brings_another(), ignore);
    spawn(reads_and_acts(round, '1', seen, 1), ignore);
    io.run();
    CHECK(seen == "r1 first r2 a1 a2 again ");
}

TEST_CASE("who has more to do comes behind those that have just read") {
    asio::io_context io;
    std::string seen;
    rounds round(io.get_executor());
    const auto has_more = [&]() -> task<> {
        for (int i = 0; i < 3; ++i) {
            co_await round.to_act(i > 0);
            seen += "more ";
            if (i == 0) {
                asio::post(io, [&] { spawn(reads_and_acts(round, '1', seen, 1), ignore); });
            }
        }
    };
    spawn(has_more(), ignore);
    io.run();
    CHECK(seen == "more r1 a1 more more ");
}

TEST_CASE("nobody waits to read when nobody acts") {
    asio::io_context io;
    std::string seen;
    rounds round(io.get_executor());
    const auto listens = [&]() -> task<> {
        co_await round.to_read();
        seen += "listens ";
    };
    spawn(listens(), ignore);
    CHECK(seen == "listens ");
}

TEST_CASE("those who wait for their turn end with the rounds") {
    std::string seen;
    bool ended = false;
    {
        asio::io_context io;
        rounds round(io.get_executor());
        const auto leaves_a_trace = [&]() -> task<> {
            struct trace {
                explicit trace(std::string& in) : text(in) {}
                trace(const trace&) = delete;
                trace& operator=(const trace&) = delete;
                ~trace() { text += "gone "; }
                std::string& text;
            };
            const trace left(seen);
            co_await round.to_act(false);
            seen += "acted ";
        };
        spawn(leaves_a_trace(), [&](const std::exception_ptr&) { ended = true; });
    }
    CHECK(seen == "gone ");
    CHECK_FALSE(ended);
}
