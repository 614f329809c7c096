#include "support/catch.hpp"
#include "support/manual_time.hpp"
#include <butterdb/net/run_loop.hpp>

#include <asio/executor_work_guard.hpp>
#include <asio/post.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <utility>

using namespace butterdb;
using namespace std::chrono_literals;

namespace {

void sleep_shortly(polling_policy& policy, unsigned times) {
    for (unsigned i = 0; i < times; ++i) {
        policy.slept(60us, 50us, 1);
    }
}

// A clock that moves 10 microseconds, and brings the loop a handler to run, each time that it is
// read: the first `readings` times.
class clock_with_work final : public time_source {
public:
    clock_with_work(asio::io_context& io, unsigned readings)
        : io_(io), work_(io.get_executor()), left_(readings) {}

    precise_time_point precise_wall() noexcept override { return {}; }
    steady::time_point now() noexcept override {
        if (left_ > 0) {
            asio::post(io_, [this] { ++ran; });
            if (--left_ == 0) {
                work_.reset();
            }
        }
        return now_ += 10us;
    }
    std::unique_ptr<butterdb::alarm> make_alarm(std::function<void()> ring) override {
        return alarms_.make_alarm(std::move(ring));
    }

    unsigned ran = 0;

private:
    asio::io_context& io_;
    asio::executor_work_guard<asio::io_context::executor_type> work_;
    unsigned left_;
    steady::time_point now_{};
    test::manual_time alarms_;
};

}  // namespace

TEST_CASE("polling: begins when sleeps are short and little comes at once", "[run_loop]") {
    polling_policy policy;
    CHECK_FALSE(policy.is_worth_it());
    sleep_shortly(policy, 100);
    CHECK(policy.is_worth_it());
}

TEST_CASE("polling: long sleeps and much work at once speak against it", "[run_loop]") {
    polling_policy policy;
    for (int i = 0; i < 1'000; ++i) {
        policy.slept(10ms, 50us, 1);
        policy.slept(20us, 50us, 50);
        CHECK_FALSE(policy.is_worth_it());
    }
    sleep_shortly(policy, 100);
    for (int i = 0; i < 10; ++i) {
        policy.caught(50);
    }
    CHECK_FALSE(policy.is_worth_it());
}

TEST_CASE("polling: goes on while it pays, and a miss among many does not end it", "[run_loop]") {
    polling_policy policy;
    sleep_shortly(policy, 100);
    for (int i = 0; i < 100; ++i) {
        policy.caught(1);
        policy.missed();
        policy.caught(1);
        CHECK(policy.is_worth_it());
    }
}

TEST_CASE("polling: trials in vain become ever rarer", "[run_loop]") {
    polling_policy policy;
    unsigned trials = 0;
    for (unsigned sleeps = 0; sleeps < 100'000; ++sleeps) {
        sleep_shortly(policy, 1);
        if (policy.is_worth_it()) {
            policy.missed();
            ++trials;
        }
    }
    CHECK(trials > 0);
    CHECK(trials < 60);
}

TEST_CASE("run_loop: runs all there is, polling or not, and ends", "[run_loop]") {
    limits lim;
    lim.poll_max = std::chrono::microseconds(GENERATE(0, 50));
    asio::io_context io;
    system_time time(io);
    run_loop loop(io, lim, time);
    unsigned ran = 0;
    steady_timer timer(io);
    std::function<void(const asio::error_code&)> again = [&](const asio::error_code& ec) {
        CHECK_FALSE(ec);
        if (++ran < 200) {
            timer.expires_after(20us);
            timer.async_wait(again);
        }
    };
    asio::post(io, [&] { again({}); });
    loop.run();
    CHECK(ran == 200);
}

TEST_CASE("run_loop: polling finds work that arrives while it polls", "[run_loop]") {
    const auto [poll_max, polls] = GENERATE(table<int, bool>({{0, false}, {50, true}}));
    limits lim;
    lim.poll_max = std::chrono::microseconds(poll_max);
    asio::io_context io;
    clock_with_work time(io, 200);
    run_loop loop(io, lim, time);
    loop.run();
    CHECK(time.ran == 200);
    CHECK((loop.policy().hits() > 0) == polls);
}
