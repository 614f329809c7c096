#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace butterdb::bench {

/// The middle value, or the mean of the two in the middle. Requires one value.
double median(std::vector<double> values);

/// A ratio, and where it lies with 95 % confidence.
struct ratio {
    double middle = 1;
    double low = 1;
    double high = 1;
    bool from_few = false;  ///< fewer than five pairs: no interval, but the least and the greatest

    /// Whether it may as well be 1: then the difference is noise.
    bool is_noise() const noexcept { return low <= 1 && high >= 1; }
};

/// The median of `over[i] / under[i]`, for values that were measured side by side, with its
/// interval by bootstrap: 2,000 samples with replacement, from `seed` (Efron, 1979). Requires as
/// many of both. Pairs over 0 do not count; without others there is no difference. Below five the
/// interval is from the least ratio to the greatest.
ratio paired_ratio(std::span<const double> over, std::span<const double> under, std::uint64_t seed);

}  // namespace butterdb::bench
