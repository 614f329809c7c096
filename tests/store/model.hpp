#pragma once

#include <butterdb/store/store.hpp>

#include <cstdint>

namespace butterdb::test {

struct model_run {
    std::uint64_t seed;
    int steps;
    unsigned keys;  ///< different ones
};

/// Random operations on a store and on std::unordered_map, side by side; then everything is
/// deleted. Fails the test at the first difference.
void run_model(store& db, const model_run& run);

}  // namespace butterdb::test
