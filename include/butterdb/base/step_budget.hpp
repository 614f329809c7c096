#pragma once

#include <cstdint>
#include <limits>

namespace butterdb {

/// The work of one request, counted in steps, so that a request that would keep all other clients
/// waiting can end early. A step is an amount of work that takes about a nanosecond: 64 tokens of a
/// pattern against one byte of a key, or a cache line copied. Taking steps never fails; the work
/// that draws on a budget asks between two units of work whether it is spent.
class step_budget {
public:
    explicit step_budget(
        std::uint64_t steps_max = std::numeric_limits<std::uint64_t>::max()) noexcept
        : steps_max_(steps_max) {}

    void take(std::uint64_t steps) noexcept { taken_ += steps; }
    /// Counts work of a size in bytes that are copied or compared.
    void take_bytes(std::uint64_t bytes) noexcept { take(bytes / 64); }

    std::uint64_t taken() const noexcept { return taken_; }
    bool is_spent() const noexcept { return taken_ >= steps_max_; }

private:
    std::uint64_t steps_max_;
    std::uint64_t taken_ = 0;
};

// Steps of other work. Buckets, entries and clients wait for memory about once.
/// Returns the steps of giving memory back to the system, page by page.
constexpr std::uint64_t steps_to_free(std::uint64_t bytes) noexcept {
    return bytes / 8;
}
inline constexpr std::uint64_t steps_per_bucket = 75;
inline constexpr std::uint64_t steps_per_entry = 75;
inline constexpr std::uint64_t steps_per_client = 75;
inline constexpr std::uint64_t steps_per_word = 75;  ///< of a list that is parsed and sorted
inline constexpr std::uint64_t steps_per_description = 1'000;  ///< of a client, command or setting

}  // namespace butterdb
