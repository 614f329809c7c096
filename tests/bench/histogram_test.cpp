#include "bench/histogram.hpp"

#include "support/catch.hpp"

#include <algorithm>
#include <random>
#include <vector>

using butterdb::bench::histogram;
using namespace std::chrono_literals;

TEST_CASE("a histogram's percentiles are those of the sorted list, to three digits") {
    std::mt19937_64 random(5);
    std::vector<std::int64_t> all;
    histogram seen;
    for (int i = 0; i < 50'000; ++i) {
        const auto latency = static_cast<std::int64_t>(random() >> (24 + random() % 40));
        all.push_back(latency);
        seen.add(std::chrono::nanoseconds(latency));
    }
    std::ranges::sort(all);
    for (const double percent : {1.0, 50.0, 95.0, 99.0, 99.9, 100.0}) {
        const auto rank = static_cast<std::size_t>(percent / 100 * static_cast<double>(all.size()));
        const auto exact = all[std::max<std::size_t>(rank, 1) - 1];
        const auto shown = seen.percentile(percent).count();
        CAPTURE(percent, exact, shown);
        CHECK(shown >= exact);
        CHECK(shown <= exact + exact / 1024 + 1);
    }
    CHECK(seen.max().count() == all.back());
    CHECK(seen.count() == all.size());
}

TEST_CASE("an empty histogram and one with extremes have answers") {
    histogram seen;
    CHECK(seen.percentile(99) == 0ns);
    CHECK(seen.mean().count() == 0);
    seen.add(-5ns);
    seen.add(0ns);
    seen.add(std::chrono::hours(1));
    CHECK(seen.percentile(50) == 0ns);
    CHECK(seen.max() == std::chrono::hours(1));
    histogram sum;
    sum.add(seen);
    CHECK(sum.count() == 3);
    CHECK(sum.max() == seen.max());
}

TEST_CASE("a histogram's text form has what plotters read") {
    histogram seen;
    for (int i = 1; i <= 1000; ++i) {
        seen.add(std::chrono::microseconds(i));
    }
    const auto text = seen.to_hgrm();
    CHECK(text.starts_with("       Value     Percentile TotalCount 1/(1-Percentile)\n\n"));
    CHECK(text.find("#[Max     =     1.000000, Total count    =         1000]\n") != text.npos);
    const auto steps = seen.steps();
    CHECK(steps.front().percentile == 0);
    CHECK(steps.back().percentile == 1);
    CHECK(steps.back().count == 1000);
    for (std::size_t i = 1; i < steps.size(); ++i) {
        CHECK(steps[i].percentile > steps[i - 1].percentile);
        CHECK(steps[i].value >= steps[i - 1].value);
        CHECK(steps[i].count >= steps[i - 1].count);
        CHECK(static_cast<double>(steps[i].count) >= steps[i].percentile * 1000 - 1e-6);
    }
    CHECK(histogram().steps().empty());
    CHECK(seen.knows(99));
    CHECK_FALSE(seen.knows(99.9));
}
