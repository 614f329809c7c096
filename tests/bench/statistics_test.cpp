#include "bench/statistics.hpp"

#include "support/catch.hpp"

#include <vector>

using namespace butterdb::bench;

TEST_CASE("the median is the value in the middle") {
    CHECK(median({3}) == 3);
    CHECK(median({5, 1, 3}) == 3);
    CHECK(median({4, 1, 3, 2}) == 2.5);
}

TEST_CASE("a ratio of pairs does not see what both sides share") {
    const std::vector<double> under{100, 50, 200, 80, 120, 90, 70};  // a machine that drifts
    std::vector<double> over;
    for (const auto each : under) {
        over.push_back(each * 1.1);
    }
    const auto found = paired_ratio(over, under, 1);
    CHECK(found.middle == Approx(1.1));
    CHECK(found.low == Approx(1.1));
    CHECK(found.high == Approx(1.1));
    CHECK_FALSE(found.is_noise());
}

TEST_CASE("a difference within the spread is noise") {
    const std::vector<double> under{100, 100, 100, 100, 100, 100, 100};
    const std::vector<double> over{95, 104, 99, 101, 97, 106, 100};
    const auto found = paired_ratio(over, under, 1);
    CHECK(found.is_noise());
    CHECK(found.low <= found.middle);
    CHECK(found.middle <= found.high);
    const std::vector<double> two_over{90, 110};
    const std::vector<double> two_under{100, 100};
    CHECK(paired_ratio(two_over, two_under, 1).low == Approx(0.9));
    CHECK(paired_ratio(two_over, two_under, 1).high == Approx(1.1));
}
