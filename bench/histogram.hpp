#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace butterdb::bench {

/// Latencies to three significant digits, in the buckets of HdrHistogram (hdrhistogram.org): none
/// is wider than 1/1024 of its values. 248 KiB, whatever the count.
///
///     0 .. 2047 ns             one bucket per nanosecond
///     2^k .. 2^(k+1) - 1 ns    1024 buckets, for k from 11 up
///
/// A latency over 2^40 ns (18 minutes) counts as that.
class histogram {
public:
    void add(std::chrono::nanoseconds latency) noexcept;
    void add(const histogram& other) noexcept;
    void clear() noexcept;

    std::uint64_t count() const noexcept { return count_; }
    std::chrono::nanoseconds max() const noexcept { return std::chrono::nanoseconds(max_); }
    /// 0 when nothing was added.
    std::chrono::duration<double> mean() const noexcept;
    /// Of the buckets' ends, as HdrHistogram's is.
    std::chrono::duration<double> standard_deviation() const noexcept;
    /// The latency that `percent` of the requests did not exceed, rounded up to its bucket's end.
    std::chrono::nanoseconds percentile(double percent) const noexcept;
    /// Whether at least ten requests lie beyond the percentile: else it is a matter of chance.
    bool knows(double percent) const noexcept;

    /// One line of the distribution.
    struct step {
        std::chrono::nanoseconds value;
        double percentile;    ///< of 1, the share of requests up to `value`
        std::uint64_t count;  ///< of requests up to `value`
    };
    /// The distribution, ever finer towards the maximum: `per_half` steps for each halving of what
    /// is left of 100 %.
    std::vector<step> steps(unsigned per_half = 5) const;

    /// The distribution in milliseconds, in the text form that HdrHistogram's plotters read
    /// (`.hgrm`).
    std::string to_hgrm() const;

private:
    static constexpr unsigned precision_bits = 10;
    static constexpr unsigned value_bits_max = 40;
    static constexpr std::size_t buckets = (value_bits_max - precision_bits + 1) << precision_bits;

    static std::size_t bucket_of(std::uint64_t value) noexcept;
    static std::uint64_t end_of(std::size_t bucket) noexcept;

    std::vector<std::uint64_t> counts_ = std::vector<std::uint64_t>(buckets);
    std::uint64_t count_ = 0;
    std::uint64_t sum_ = 0;
    std::uint64_t max_ = 0;
};

}  // namespace butterdb::bench
