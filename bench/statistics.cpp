#include "statistics.hpp"

#include "random.hpp"
#include <butterdb/base/assert.hpp>

#include <algorithm>
#include <cstddef>

namespace butterdb::bench {

namespace {

constexpr std::size_t samples = 2'000;
constexpr std::size_t pairs_min = 5;  // with fewer there is nothing to draw from
constexpr double confidence = 0.95;

}  // namespace

double median(std::vector<double> values) {
    BUTTERDB_ASSERT(!values.empty());
    std::ranges::sort(values);
    const auto middle = values.size() / 2;
    return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

ratio paired_ratio(
    std::span<const double> over, std::span<const double> under, std::uint64_t seed) {
    BUTTERDB_ASSERT(over.size() == under.size());
    std::vector<double> ratios;
    for (std::size_t i = 0; i < over.size(); ++i) {
        if (under[i] > 0) {
            ratios.push_back(over[i] / under[i]);
        }
    }
    if (ratios.empty()) {
        return {};
    }
    const auto middle = median(ratios);
    if (ratios.size() < pairs_min) {
        const auto [low, high] = std::ranges::minmax(ratios);
        return {middle, low, high, true};
    }
    random_numbers random(seed, 0);
    std::vector<double> medians;
    std::vector<double> drawn(ratios.size());
    for (std::size_t sample = 0; sample < samples; ++sample) {
        for (auto& each : drawn) {
            each = ratios[random.below(ratios.size())];
        }
        medians.push_back(median(drawn));
    }
    std::ranges::sort(medians);
    const auto at = [&](double share) {
        return medians[static_cast<std::size_t>(share * static_cast<double>(samples - 1))];
    };
    return {middle, at((1 - confidence) / 2), at((1 + confidence) / 2)};
}

}  // namespace butterdb::bench
