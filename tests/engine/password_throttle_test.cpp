#include "support/catch.hpp"
#include <butterdb/engine/password_throttle.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <vector>

using namespace butterdb;
using namespace std::chrono_literals;

namespace {

struct paced {
    limits lim;
    hash_secret secret{1};
    password_throttle throttle{lim, secret};
    password_throttle::clock::time_point now{1h};

    auto fail(std::uint64_t network) { return throttle.delay_of(network, false, now); }
    auto succeed(std::uint64_t network) { return throttle.delay_of(network, true, now); }
};

constexpr std::uint64_t home = 7;

}  // namespace

TEST_CASE("three wrong passwords of a network are answered immediately, then one in 0.1 seconds") {
    paced f;
    for (int i = 0; i < 3; ++i) {
        CHECK(f.fail(home) == 0ms);
    }
    CHECK(f.fail(home) == 100ms);
    CHECK(f.fail(home) == 200ms);
    f.now += 200ms;
    CHECK(f.fail(home) == 100ms);
}

TEST_CASE("a right password waits as long as a wrong one would, and takes no turn") {
    paced f;
    for (int i = 0; i < 6; ++i) {
        f.fail(home);
    }
    for (int i = 0; i < 100; ++i) {
        CHECK(f.succeed(home) == 400ms);
    }
    CHECK(f.fail(home) == 400ms);
    f.now += 10min;
    CHECK(f.succeed(home) == 0ms);
}

TEST_CASE("however many wrong passwords a network has said, no answer waits for over 5 seconds") {
    paced f;
    for (int i = 0; i < 10'000; ++i) {
        CHECK(f.fail(home) <= 5s);
    }
    CHECK(f.succeed(home) == 5s);
    f.now += 5'200ms;
    CHECK(f.succeed(home) == 0ms);
}

TEST_CASE("answers that wait are due at common moments, ten a second") {
    paced f;
    for (int i = 0; i < 50; ++i) {
        f.now += 7ms;
        const auto delay = f.fail(home);
        CHECK((delay == 0ms || (f.now.time_since_epoch() + delay) % 100ms == 0ms));
    }
}

TEST_CASE("networks wait for themselves, but for the few that share a bucket") {
    paced f;
    for (int i = 0; i < 100; ++i) {
        f.fail(home);
    }
    int waiting = 0;
    for (std::uint64_t other = 1'000; other < 2'000; ++other) {
        waiting += f.succeed(other) > 0ms ? 1 : 0;
    }
    CHECK(waiting < 20);
}

TEST_CASE("guessers of many networks drive no other network's count out") {
    paced f;
    for (int i = 0; i < 100; ++i) {
        f.fail(home);
    }
    for (std::uint64_t other = 0; other < 100'000; ++other) {
        f.fail(other << 32U);
    }
    CHECK(f.succeed(home) > 4s);
}
