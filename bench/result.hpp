#pragma once

#include "load.hpp"
#include "statistics.hpp"
#include "verdict.hpp"

#include <optional>
#include <string>
#include <vector>

namespace butterdb::bench {

/// One test that was run, and what it found.
struct result {
    std::string title;
    std::string server;  ///< its name or address
    unsigned round = 1;
    load test;
    measurement measured;
    verdict said;
};

/// A step of `search`.
struct search_step {
    double rate = 0;
    std::chrono::nanoseconds latency{0};
    bool holds = false;
    std::string why_not;
};

/// What `search` found.
struct search_result {
    std::string goal;
    double best_rate = 0;  ///< 0: not even the least rate holds it
    std::vector<search_step> steps;
};

/// One server beside the first, in what `compare` found. Ratios are over the first server's.
struct comparison_row {
    std::string server;
    double throughput = 0;                 ///< median of the rounds
    double p99_us = 0;                     ///< median
    std::optional<double> cpu_us;          ///< of the server per request, median
    std::optional<double> bytes_per_item;  ///< beyond key and value
    ratio throughput_ratio;
    std::optional<ratio> cpu_ratio;
    std::uint64_t errors = 0;
};

/// All that one call of this tool found: what the reports are made of.
struct findings {
    std::string command_line;
    std::vector<result> results;
    std::optional<search_result> searched;
    std::vector<comparison_row> compared;  ///< the first is what the others are compared with
    bool is_scaling = false;               ///< the results are a curve over clients
};

}  // namespace butterdb::bench
