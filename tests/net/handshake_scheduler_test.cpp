#include "support/catch.hpp"
#include "support/manual_time.hpp"
#include <butterdb/net/handshake_scheduler.hpp>

#include <chrono>
#include <exception>
#include <memory>
#include <string>
#include <vector>

using namespace butterdb;
using namespace std::chrono_literals;

namespace {

// A connection that takes a millisecond for each step of its handshake, and writes what happens to
// it behind its name.
class connection final : public watched {
public:
    connection(sweeper& timeouts, asio::io_context& io, char name, std::string& seen)
        : watched(timeouts), name_(name), seen_(seen), answer_(io, steady::time_point::max()) {}

    // Waits for an answer between its steps.
    task<> run(handshake_scheduler& all, test::manual_time& time, int steps) {
        handshake_scheduler::handshake own(all, *this);
        while (!is_closed_ && steps > 0) {
            co_await own.turn();
            if (is_closed_) {
                break;
            }
            seen_ += name_;
            time.advance(1ms);
            --steps;
            if (steps > 0) {
                own.yield();
                asio::error_code ignored;
                co_await answer_.async_wait(into(ignored));
            }
        }
        seen_ += is_closed_ ? "x" : ".";
        seen_ += name_;
    }

    void answer() { answer_.cancel(); }

private:
    void close() noexcept override {
        is_closed_ = true;
        answer_.cancel();
    }
    void cancel() noexcept override {}
    bool is_heard() noexcept override { return false; }
    void limit_silence(std::chrono::seconds /*user_timeout*/) noexcept override {}

    char name_;
    std::string& seen_;
    steady_timer answer_;
    bool is_closed_ = false;
};

class fixture {
public:
    fixture() { bounds.handshakes_max = 2; }
    fixture(const fixture&) = delete;
    fixture& operator=(const fixture&) = delete;
    ~fixture() {
        for (const auto& each : connections_) {
            each->cut();
        }
        all.stop();
        happened();
    }

    connection& start(int steps) {
        const auto name = static_cast<char>('A' + connections_.size());
        connections_.push_back(std::make_unique<connection>(timeouts_, io_, name, seen_));
        spawn(connections_.back()->run(all, time, steps), [](const std::exception_ptr& failure) {
            CHECK_FALSE(failure);
        });
        return *connections_.back();
    }

    // Runs what is ready, without time going by.
    std::string happened() {
        io_.restart();
        io_.poll();
        return std::exchange(seen_, {});
    }

    std::string after(steady::duration span) {
        time.advance(span);
        return happened();
    }

    test::manual_time time;
    limits bounds;

private:
    asio::io_context io_;
    sweeper timeouts_{time};
    std::string seen_;
    std::vector<std::unique_ptr<connection>> connections_;

public:
    handshake_scheduler all{io_, time, bounds};
};

}  // namespace

TEST_CASE("a handshake that took a millisecond leaves the next one to others") {
    fixture f;
    f.start(1);
    f.start(1);
    f.start(1);
    CHECK(f.happened() == "A.A");
    CHECK(f.after(999us).empty());
    CHECK(f.after(1us) == "B.B");
    CHECK(f.after(1ms) == "C.C");
    CHECK(f.time.next_alarm() == steady::time_point::max());
}

TEST_CASE("a share of a quarter pauses for three times as long as a handshake took") {
    fixture f;
    f.bounds.handshake_share = 4;
    f.start(1);
    f.start(1);
    CHECK(f.happened() == "A.A");
    CHECK(f.after(2999us).empty());
    CHECK(f.after(1us) == "B.B");
}

TEST_CASE("a handshake that has begun goes before one that has not") {
    fixture f;
    auto& first = f.start(2);
    f.start(1);
    CHECK(f.happened() == "A");
    first.answer();
    CHECK(f.happened().empty());
    CHECK(f.after(1ms) == "A.A");
    CHECK(f.after(1ms) == "B.B");
}

TEST_CASE(
    "at the limit the handshake that has waited longest for its client is closed for another") {
    fixture f;
    f.start(2);
    CHECK(f.happened() == "A");
    f.start(2);
    CHECK(f.after(1ms) == "B");
    CHECK(f.all.begun() == 2);
    f.start(2);
    CHECK(f.after(1ms) == "xAC");
    CHECK(f.all.begun() == 2);
    f.start(1);
    CHECK(f.after(1ms) == "xBD.D");
    CHECK(f.all.begun() == 1);
}

TEST_CASE("a handshake that waits for its turn is not closed for another") {
    fixture f;
    auto& first = f.start(2);
    CHECK(f.happened() == "A");
    auto& second = f.start(2);
    CHECK(f.after(1ms) == "B");
    f.start(1);
    first.answer();
    second.answer();
    CHECK(f.happened().empty());
    CHECK(f.after(1ms) == "A.A");
    CHECK(f.after(1ms) == "B.B");
    CHECK(f.after(1ms) == "C.C");
}

TEST_CASE("once stopped, no handshake waits for its turn") {
    fixture f;
    f.start(1);
    f.start(1);
    f.start(1);
    CHECK(f.happened() == "A.A");
    f.all.stop();
    CHECK(f.happened() == "B.BC.C");
}
