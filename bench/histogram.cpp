#include "histogram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace butterdb::bench {

// Values below 2^7 are their own bucket; above, the leading 7 bits choose it.
std::size_t histogram::bucket_of(std::uint64_t value) noexcept {
    const auto capped = std::min(value, (std::uint64_t{1} << value_bits_max) - 1);
    const auto bits = static_cast<unsigned>(std::bit_width(capped));
    const auto shift = bits > precision_bits + 1 ? bits - precision_bits - 1 : 0;
    return (std::size_t{shift} << precision_bits) + static_cast<std::size_t>(capped >> shift);
}

// The largest value in the bucket.
std::uint64_t histogram::end_of(std::size_t bucket) noexcept {
    const auto group = bucket >> precision_bits;
    const auto shift = group > 1 ? group - 1 : 0;
    const auto leading = bucket - (shift << precision_bits);
    return ((leading + 1) << shift) - 1;
}

void histogram::add(std::chrono::nanoseconds latency) noexcept {
    const auto value = static_cast<std::uint64_t>(std::max<std::int64_t>(latency.count(), 0));
    ++counts_[bucket_of(value)];
    ++count_;
    sum_ += value;
    max_ = std::max(max_, value);
}

void histogram::add(const histogram& other) noexcept {
    for (std::size_t bucket = 0; bucket < buckets; ++bucket) {
        counts_[bucket] += other.counts_[bucket];
    }
    count_ += other.count_;
    sum_ += other.sum_;
    max_ = std::max(max_, other.max_);
}

std::chrono::duration<double> histogram::mean() const noexcept {
    if (count_ == 0) {
        return {};
    }
    return std::chrono::duration<double>(
        static_cast<double>(sum_) / static_cast<double>(count_) / 1e9);
}

std::chrono::nanoseconds histogram::percentile(double percent) const noexcept {
    const auto wanted =
        static_cast<std::uint64_t>(std::ceil(percent / 100 * static_cast<double>(count_)));
    std::uint64_t seen = 0;
    for (std::size_t bucket = 0; bucket < buckets; ++bucket) {
        seen += counts_[bucket];
        if (seen >= wanted && seen > 0) {
            return std::chrono::nanoseconds(std::min(end_of(bucket), max_));
        }
    }
    return max();
}

}  // namespace butterdb::bench
