// Runs simulations, one for each seed.
// Usage: butterdb_sim SEEDS [FIRST]   so many seeds, from 1 or from FIRST on
//        butterdb_sim --seed SEED     one, and tells on stderr what happens

#include "sim/simulation.hpp"
#include "support/trace.hpp"

#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

namespace {

using namespace butterdb::test;

// Of so many seeds, one is run twice.
constexpr std::uint64_t replay_every = 100;

bool run(std::uint64_t seed, const char* program, sim::tally& total) {
    try {
        const auto one = sim::simulate(seed);
        if (seed % replay_every == 0 && !(sim::simulate(seed) == one)) {
            throw sim::broken_promise("the same seed does the same again");
        }
        total.requests += one.requests;
        total.steps += one.steps;
        total.connections += one.connections;
        total.cut += one.cut;
        total.failed_accepts += one.failed_accepts;
        total.refused_writes += one.refused_writes;
        total.broken_sessions += one.broken_sessions;
        total.drained_early += one.drained_early;
        return true;
    } catch (const std::exception& why) {
        std::fprintf(stderr, "seed %" PRIu64 ": %s\n", seed, why.what());
        std::fprintf(stderr, "to see it again: %s --seed %" PRIu64 "\n", program, seed);
        return false;
    }
}

}  // namespace

int main(int argc, char** argv) {
    const std::string first = argc > 1 ? argv[1] : "";
    const bool one = first == "--seed";
    if (argc < 2 || argc > 3 || (one && argc != 3)) {
        std::fprintf(stderr, "usage: %s SEEDS [FIRST] | --seed SEED\n", argv[0]);
        return 2;
    }
    tracing = one;
    const auto begin = argc == 3 ? std::strtoull(argv[2], nullptr, 10) : 1;
    const auto count = one ? 1 : std::strtoull(argv[1], nullptr, 10);
    const auto started = std::chrono::steady_clock::now();
    sim::tally total;
    for (auto seed = begin; seed < begin + count; ++seed) {
        if (!run(seed, argv[0], total)) {
            return EXIT_FAILURE;
        }
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
    std::printf(
        "%llu seeds in %.1f s: %" PRIu64 " requests over %" PRIu64 " connections in %" PRIu64
        " steps; %" PRIu64 " failed accepts, %" PRIu64 " connections cut, %" PRIu64
        " allocations refused, %" PRIu64 " sessions out of memory, %" PRIu64
        " drains before the end\n",
        count,
        took.count(),
        total.requests,
        total.connections,
        total.steps,
        total.failed_accepts,
        total.cut,
        total.refused_writes,
        total.broken_sessions,
        total.drained_early);
    return EXIT_SUCCESS;
}
