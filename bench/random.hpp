#pragma once

#include <cstdint>

namespace butterdb::bench {

/// Mixes all bits of a number into all bits of the result (splitmix64's last step).
constexpr std::uint64_t mix(std::uint64_t number) noexcept {
    number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9U;
    number = (number ^ (number >> 27)) * 0x94d049bb133111ebU;
    return number ^ (number >> 31);
}

/// splitmix64 (Steele, Lea and Flood, 2014): eight bytes of state, since each of 10,000 clients has
/// its own. The same seed gives the same numbers everywhere, as a standard distribution does not.
class random_numbers {
public:
    constexpr random_numbers(std::uint64_t seed, std::uint64_t stream) noexcept
        : state_(mix(seed + mix(stream + golden))) {}

    constexpr std::uint64_t next() noexcept { return mix(state_ += golden); }
    /// Below `bound`, which is not 0.
    constexpr std::uint64_t below(std::uint64_t bound) noexcept {
        return static_cast<std::uint64_t>((static_cast<wide>(next()) * bound) >> 64);
    }
    /// In [0, 1).
    constexpr double share() noexcept { return static_cast<double>(next() >> 11) * 0x1p-53; }

private:
    __extension__ using wide = unsigned __int128;
    static constexpr std::uint64_t golden = 0x9e3779b97f4a7c15U;

    std::uint64_t state_;
};

}  // namespace butterdb::bench
