#pragma once

#include "load.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace butterdb::bench {

enum class format : std::uint8_t { text, json, csv };

/// What `search` holds the rate to: `p99<1ms`.
struct objective {
    std::string text;
    double percent = 99;  ///< 100: the maximum
    std::chrono::nanoseconds bound{0};
};

enum class mode : std::uint8_t {
    suite,    ///< the seed's two tests
    run,      ///< one test for each number of clients
    scale,    ///< the same, as a curve
    search,   ///< the highest rate that holds an objective
    compare,  ///< servers, in turns
};

struct options {
    mode what = mode::suite;
    target server;
    bool spawn = false;
    std::optional<int> server_cpu;  ///< of servers that this tool starts
    format output = format::text;
    std::string report_file;           ///< HTML
    std::string hgrm_file;             ///< the last test's latencies
    std::string baseline_file;         ///< CSV of an earlier run
    double tolerance = 0.05;           ///< of --baseline
    load test;                         ///< but for its clients
    std::vector<std::size_t> clients;  ///< one at least
    std::uint64_t operations = 0;      ///< 0: as many as the mode has by default
    bool dialect_given = false;
    objective goal;                    ///< of search
    std::vector<std::string> servers;  ///< of compare
    std::optional<unsigned> rounds;    ///< nothing: as many as the mode has by default
};

/// Reads the command line. Throws CLI::ParseError, also to show help; `help` becomes its text.
options read_options(int argc, const char* const* argv, std::string& help);

}  // namespace butterdb::bench
