#pragma once

#include "support/choices.hpp"
#include <butterdb/store/store.hpp>

#include <cstdint>
#include <string_view>

namespace butterdb::test {

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

}  // namespace butterdb::test
