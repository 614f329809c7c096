#pragma once

#include <butterdb/store/store.hpp>

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace butterdb::bench {

/// Keys of 16 bytes that all belong into one bucket of one segment when the store's hash is XXH3
/// without a secret: XXH3 of 9 to 16 bytes, run backwards from hashes that agree in the bits that
/// choose segment and bucket. What an attacker would send who knew the hash but not the secret.
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

    /// XXH3 of a key of 16 bytes, without a seed.
    static std::uint64_t unseeded_hash(std::string_view key, const hash_secret&) noexcept {
        const auto low = read(key, 0) ^ low_secret;
        const auto high = read(key, sizeof(std::uint64_t)) ^ high_secret;
        const auto product = static_cast<__uint128_t>(low) * high;
        const auto folded =
            static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
        auto hash = key.size() + __builtin_bswap64(low) + high + folded;
        hash ^= hash >> 37;
        hash *= multiplier;
        return hash ^ hash >> 32;
    }

private:
    // What XXH3 combines the two words of such a key with, without a seed.
    static constexpr std::uint64_t low_secret = 0x6782737bea4239b9;
    static constexpr std::uint64_t high_secret = 0xaf56bc3b0996523a;
    static constexpr std::uint64_t multiplier = 0x165667919e3779f9;
    static constexpr std::uint64_t inverse_of_multiplier = 0x08da8ee41d6df849;

    static std::uint64_t unmix(std::uint64_t hash) noexcept {
        hash ^= hash >> 32;
        hash *= inverse_of_multiplier;
        return hash ^ hash >> 37;
    }

    static std::uint64_t read(std::string_view from, std::size_t at) noexcept {
        std::uint64_t word = 0;
        std::memcpy(&word, from.data() + at, sizeof word);
        return word;
    }

    void write(std::size_t at, std::uint64_t word) noexcept {
        static_assert(std::endian::native == std::endian::little);
        std::memcpy(text_.data() + at, &word, sizeof word);
    }

    std::array<char, 16> text_{};
};

}  // namespace butterdb::bench
