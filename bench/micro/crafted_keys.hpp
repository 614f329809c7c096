#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace butterdb::bench {

/// Keys of 16 bytes that all belong into one bucket of one segment when the store's hash has the
/// seed 0: XXH3 of 9 to 16 bytes, run backwards from hashes that agree in the bits that choose
/// segment and bucket. What an attacker would send who knew the hash but not the seed.
class crafted_keys {
public:
    static constexpr std::uint64_t count_max = std::uint64_t{1} << 24;

    std::string_view operator()(std::uint64_t number) noexcept {
        const auto tag = number & 0xffff;
        const auto low = number >> 16;  // below 256: all in bucket 0
        const auto hash = std::uint64_t{0x12345678} << 32 | tag << 16 | low;
        // hash = avalanche(size + swap(a) + b + fold(a * b)), where a is 0 with the first word.
        const auto second = unmix(hash) - text_.size();
        write(0, low_secret);
        write(sizeof(std::uint64_t), second ^ high_secret);
        return {text_.data(), text_.size()};
    }

private:
    // What XXH3 combines the two words of such a key with, without a seed.
    static constexpr std::uint64_t low_secret = 0x6782737bea4239b9;
    static constexpr std::uint64_t high_secret = 0xaf56bc3b0996523a;
    static constexpr std::uint64_t inverse_of_multiplier = 0x08da8ee41d6df849;

    static std::uint64_t unmix(std::uint64_t hash) noexcept {
        hash ^= hash >> 32;
        hash *= inverse_of_multiplier;
        return hash ^ hash >> 37;
    }

    void write(std::size_t at, std::uint64_t word) noexcept {
        static_assert(std::endian::native == std::endian::little);
        std::memcpy(text_.data() + at, &word, sizeof word);
    }

    std::array<char, 16> text_{};
};

}  // namespace butterdb::bench
