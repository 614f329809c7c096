#include "support/catch.hpp"
#include <butterdb/net/run_loop.hpp>

#include <asio/post.hpp>

#include <chrono>
#include <functional>

using namespace butterdb;
using namespace std::chrono_literals;

namespace {

void sleep_shortly(polling_policy& policy, unsigned times) {
    for (unsigned i = 0; i < times; ++i) {
        policy.slept(60us, 50us, 1);
    }
}

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
    run_loop loop(io, lim);
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
