#pragma once

#include <butterdb/store/store.hpp>

#include <cstdint>
#include <random>
#include <string_view>

namespace butterdb::test {

/// Where a run's decisions come from: a seed, or the bytes of a fuzzer.
class choices {
public:
    choices(std::uint64_t seed, std::uint64_t count) : random_(seed), left_(count) {}
    explicit choices(std::string_view bytes) : bytes_(bytes), left_(bytes.size()) {}

    /// A number below `count`, itself at most 65,536.
    unsigned below(unsigned count);
    bool more() const { return left_ > 0; }

private:
    std::mt19937_64 random_;
    std::string_view bytes_;
    std::uint64_t left_;  // numbers, or bytes
};

struct model_run {
    hash_function hash = secret_hash;
    unsigned keys = 2'000;  ///< different ones
    std::uint64_t ceiling = std::uint64_t{64} << 20;
    butterdb::eviction eviction = eviction::none;
    bool failing = false;  ///< allocations fail now and then
};

/// Hashes that collide: all equal, in 2 bits only, and one that keeps neighbours together.
std::uint64_t constant_hash(std::string_view key, const hash_secret& secret) noexcept;
std::uint64_t two_bit_hash(std::string_view key, const hash_secret& secret) noexcept;
std::uint64_t identity_hash(std::string_view key, const hash_secret& secret) noexcept;

/// Operations on a store and on std::unordered_map, side by side, as long as there are choices;
/// then everything is deleted. Throws std::logic_error at the first difference.
void run_model(const model_run& run, choices& choose);

/// The same as a fuzz target: the first bytes choose the run.
void fuzz_store(std::string_view bytes);

}  // namespace butterdb::test
