#include "histogram.hpp"

#include "text.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace butterdb::bench {

namespace {

double milliseconds(std::chrono::duration<double> span) {
    return span.count() * 1e3;
}

}  // namespace

// Values below 2^11 are their own bucket; above, the leading 11 bits choose it.
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

void histogram::clear() noexcept {
    std::ranges::fill(counts_, 0);
    count_ = sum_ = max_ = 0;
}

std::chrono::duration<double> histogram::mean() const noexcept {
    if (count_ == 0) {
        return {};
    }
    return std::chrono::duration<double>(
        static_cast<double>(sum_) / static_cast<double>(count_) / 1e9);
}

std::chrono::duration<double> histogram::standard_deviation() const noexcept {
    if (count_ == 0) {
        return {};
    }
    const double middle = mean().count() * 1e9;
    double squares = 0;
    for (std::size_t bucket = 0; bucket < buckets; ++bucket) {
        const double off = static_cast<double>(end_of(bucket)) - middle;
        squares += static_cast<double>(counts_[bucket]) * off * off;
    }
    return std::chrono::duration<double>(std::sqrt(squares / static_cast<double>(count_)) / 1e9);
}

std::chrono::nanoseconds histogram::percentile(double percent) const noexcept {
    constexpr double rounding = 1e-6;  // 99.9 % of 50,000 is not one more than 49,950
    const auto wanted = static_cast<std::uint64_t>(
        std::ceil(percent / 100 * static_cast<double>(count_) - rounding));
    std::uint64_t seen = 0;
    for (std::size_t bucket = 0; bucket < buckets; ++bucket) {
        seen += counts_[bucket];
        if (seen >= wanted && seen > 0) {
            return std::chrono::nanoseconds(std::min(end_of(bucket), max_));
        }
    }
    return max();
}

bool histogram::knows(double percent) const noexcept {
    return static_cast<double>(count_) * (100 - percent) / 100 >= 10 - 1e-6;
}

std::vector<histogram::step> histogram::steps(unsigned per_half) const {
    std::vector<step> found;
    std::uint64_t seen = 0;
    double next = 0;  // the share that the next step stands for
    double half = 1;  // what is left of 1 at the begin of this halving
    unsigned in_half = 0;
    for (std::size_t bucket = 0; bucket < buckets && seen < count_; ++bucket) {
        if (counts_[bucket] == 0) {
            continue;
        }
        seen += counts_[bucket];
        const auto share = static_cast<double>(seen) / static_cast<double>(count_);
        const std::chrono::nanoseconds value(std::min(end_of(bucket), max_));
        while (share >= next && next < 1) {
            found.push_back({value, next, seen});
            if (++in_half == per_half) {
                in_half = 0;
                half /= 2;
            }
            next = 1 - half * (1 - static_cast<double>(in_half) / (2 * per_half));
            if (half * static_cast<double>(count_) < 0.5) {
                next = 1;
            }
        }
    }
    if (count_ > 0) {
        found.push_back({max(), 1, count_});
    }
    return found;
}

std::string histogram::to_hgrm() const {
    std::string lines = "       Value     Percentile TotalCount 1/(1-Percentile)\n\n";
    for (const auto& each : steps()) {
        lines += text(
            "%12.6f %2.12f %10llu",
            milliseconds(each.value),
            each.percentile,
            static_cast<unsigned long long>(each.count));
        lines += each.percentile < 1 ? text(" %14.2f\n", 1 / (1 - each.percentile)) : "\n";
    }
    lines += text(
        "#[Mean    = %12.6f, StdDeviation   = %12.6f]\n",
        milliseconds(mean()),
        milliseconds(standard_deviation()));
    lines += text(
        "#[Max     = %12.6f, Total count    = %12llu]\n",
        milliseconds(max()),
        static_cast<unsigned long long>(count_));
    return lines + text(
                       "#[Buckets = %12u, SubBuckets     = %12u]\n",
                       value_bits_max - precision_bits,
                       2U << precision_bits);
}

}  // namespace butterdb::bench
