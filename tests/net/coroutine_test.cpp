// The forms in which this project writes coroutines, each with live objects counted: GCC 12
// miscompiles the neighbouring forms (see tests/style/check_style.py). Runs under both compilers.

#include "support/catch.hpp"
#include <butterdb/net/task.hpp>

#include <exception>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

using namespace butterdb;

namespace {

// Counts itself; holds memory, so that a double destruction is seen.
struct counted {
    static inline int live = 0;

    explicit counted(std::string text) : name(std::move(text)) { ++live; }
    counted(const counted& other) : name(other.name) { ++live; }
    counted(counted&& other) noexcept : name(std::move(other.name)) { ++live; }
    counted& operator=(const counted&) = default;
    counted& operator=(counted&&) noexcept = default;
    ~counted() { --live; }

    std::string name;
};

const std::string long_text(100, 'x');

asio::io_context loop;

task<bool> later(bool value) {
    co_await others_turn(loop.get_executor());
    co_return value;
}

task<counted> give(counted thing) {
    co_await others_turn(loop.get_executor());
    co_return thing;
}

task<std::size_t> length(std::variant<int, counted> thing) {
    co_await others_turn(loop.get_executor());
    co_return std::get<counted>(thing).name.size();
}

template <typename Function>
task<std::size_t> call(Function function) {
    co_await others_turn(loop.get_executor());
    co_return function();
}

task<std::size_t> total(std::vector<std::string> words) {
    co_await others_turn(loop.get_executor());
    std::size_t sum = 0;
    for (const auto& word : words) {
        sum += word.size();
    }
    co_return sum;
}

task<> throw_later(asio::io_context& where) {
    const counted held(long_text);
    co_await others_turn(where.get_executor());
    throw std::runtime_error(held.name);
}

template <typename Result>
task<> keep(task<Result> work, Result& result) {
    auto given = co_await work;
    result = std::move(given);
}

template <typename Result>
Result run(task<Result> work) {
    Result result{};
    bool ended = false;
    std::exception_ptr failed;
    spawn(keep(std::move(work), result), [&](const std::exception_ptr& failure) {
        failed = failure;
        ended = true;
    });
    loop.restart();
    loop.run();
    REQUIRE(ended);
    REQUIRE_FALSE(failed);
    return result;
}

}  // namespace

TEST_CASE("coroutine: an awaited condition is named first") {
    const auto body = []() -> task<int> {
        int rounds = 0;
        auto more = co_await later(true);
        while (more) {
            ++rounds;
            more = co_await later(rounds < 5);
        }
        co_return rounds;
    };
    CHECK(run(body()) == 5);
}

TEST_CASE("coroutine: a lambda with captures is named and moved in") {
    const auto body = []() -> task<std::size_t> {
        const counted thing(long_text);
        auto measure = [thing] { return thing.name.size(); };
        const auto size = co_await call(std::move(measure));
        co_return size;
    };
    CHECK(run(body()) == long_text.size());
    CHECK(counted::live == 0);
}

TEST_CASE("coroutine: an argument of class type is named first") {
    const auto body = []() -> task<std::size_t> {
        std::variant<int, counted> thing{counted(long_text)};
        const auto size = co_await length(std::move(thing));
        std::vector<std::string> words{long_text, "abc"};
        const auto sum = co_await total(std::move(words));
        co_return size + sum;
    };
    CHECK(run(body()) == 2 * long_text.size() + 3);
    CHECK(counted::live == 0);
}

TEST_CASE("coroutine: a choice between two awaits is an if") {
    const auto choose = [](bool first) -> task<std::size_t> {
        std::string name;
        if (first) {
            counted thing(long_text);
            const auto given = co_await give(std::move(thing));
            name = given.name;
        } else {
            counted thing("short");
            const auto given = co_await give(std::move(thing));
            name = given.name;
        }
        co_return name.size();
    };
    CHECK(run(choose(true)) == long_text.size());
    CHECK(run(choose(false)) == 5);
    CHECK(counted::live == 0);
}

TEST_CASE("coroutine: an exception passes and destroys what was alive") {
    const auto body = []() -> task<std::size_t> {
        std::size_t caught = 0;
        try {
            co_await throw_later(loop);
        } catch (const std::runtime_error& why) {
            caught = std::string(why.what()).size();
        }
        co_return caught;
    };
    CHECK(run(body()) == long_text.size());
    CHECK(counted::live == 0);
}

TEST_CASE("coroutine: a frame that is never resumed is destroyed with its context") {
    {
        asio::io_context io;
        spawn(throw_later(io), [](const std::exception_ptr&) {});
        CHECK(counted::live == 1);
    }
    CHECK(counted::live == 0);
}
