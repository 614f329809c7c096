#include "support/catch.hpp"
#include <butterdb/net/turns.hpp>

#include <exception>
#include <string>

using namespace butterdb;

namespace {

// Writes what it does behind its name.
task<> reads_and_acts(turns& order, char name, std::string& seen, int rounds) {
    for (; rounds > 0; --rounds) {
        seen += {'r', name, ' '};
        co_await order.act();
        seen += {'a', name, ' '};
        co_await order.listen();
    }
}

void ignore(const std::exception_ptr&) {}

}  // namespace

TEST_CASE("all that is ready is read before the first acts, and all act before one reads on") {
    asio::io_context io;
    std::string seen;
    turns order(io.get_executor(), [&] { seen += "| "; });
    for (const char name : {'1', '2', '3'}) {
        spawn(reads_and_acts(order, name, seen, 2), ignore);
    }
    io.run();
    CHECK(seen == "r1 r2 r3 | a1 a2 a3 r1 r2 r3 | a1 a2 a3 ");
}

TEST_CASE("who joins while others act has the next turn") {
    asio::io_context io;
    std::string seen;
    turns order(io.get_executor());
    const auto brings_another = [&]() -> task<> {
        co_await order.act();
        seen += "first ";
        spawn(reads_and_acts(order, '2', seen, 1), ignore);
        co_await order.act();
        seen += "again ";
    };
    spawn(brings_another(), ignore);
    spawn(reads_and_acts(order, '1', seen, 1), ignore);
    io.run();
    CHECK(seen == "r1 first r2 a1 a2 again ");
}

TEST_CASE("nobody waits to listen when nobody acts") {
    asio::io_context io;
    std::string seen;
    turns order(io.get_executor());
    const auto listens = [&]() -> task<> {
        co_await order.listen();
        seen += "listens ";
    };
    spawn(listens(), ignore);
    CHECK(seen == "listens ");
}

TEST_CASE("those who wait for their turn end with the order of turns") {
    std::string seen;
    bool ended = false;
    {
        asio::io_context io;
        turns order(io.get_executor());
        const auto leaves_a_trace = [&]() -> task<> {
            struct trace {
                explicit trace(std::string& in) : text(in) {}
                trace(const trace&) = delete;
                trace& operator=(const trace&) = delete;
                ~trace() { text += "gone "; }
                std::string& text;
            };
            const trace left(seen);
            co_await order.act();
            seen += "acted ";
        };
        spawn(leaves_a_trace(), [&](const std::exception_ptr&) { ended = true; });
    }
    CHECK(seen == "gone ");
    CHECK_FALSE(ended);
}
