#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace butterdb::bench {

/// Latencies in buckets whose width is at most 1/64 of their value: 17.5 KiB, whatever the count.
///
///     0 .. 127 ns              one bucket per nanosecond
///     2^k .. 2^(k+1) - 1 ns    64 buckets, for k from 7 up
///
/// A latency over 2^40 ns (18 minutes) counts as that.
class histogram {
public:
    void add(std::chrono::nanoseconds latency) noexcept;
    void add(const histogram& other) noexcept;

    std::uint64_t count() const noexcept { return count_; }
    std::chrono::nanoseconds max() const noexcept { return std::chrono::nanoseconds(max_); }
    /// 0 when nothing was added.
    std::chrono::duration<double> mean() const noexcept;
    /// The latency that `percent` of the requests did not exceed, rounded up to its bucket's end.
    std::chrono::nanoseconds percentile(double percent) const noexcept;

private:
    static constexpr unsigned precision_bits = 6;
    static constexpr unsigned value_bits_max = 40;
    static constexpr std::size_t buckets = (value_bits_max - precision_bits + 1) << precision_bits;

    static std::size_t bucket_of(std::uint64_t value) noexcept;
    static std::uint64_t end_of(std::size_t bucket) noexcept;

    std::array<std::uint64_t, buckets> counts_{};
    std::uint64_t count_ = 0;
    std::uint64_t sum_ = 0;
    std::uint64_t max_ = 0;
};

}  // namespace butterdb::bench
