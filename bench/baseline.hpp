#pragma once

#include "result.hpp"

#include <map>
#include <string>
#include <vector>

namespace butterdb::bench {

/// Figures that are worse than the baseline's, a line for people each.
using regressions = std::vector<std::string>;

/// The tests of an earlier run, as `--format csv` wrote them.
class baseline {
public:
    /// Throws std::runtime_error when `file` cannot be read, or is nothing that this tool wrote.
    explicit baseline(const std::string& file);

    /// Throws std::runtime_error unless a test of the file has the same server, title, protocol,
    /// clients, threads, pipeline, rate and load, all that is known of a test before it is run. It
    /// names the first difference from the test of the file that has most in common with it.
    void require(const result& planned) const;

    /// Compares medians over rounds. Worse by more than `tolerance` is a regression: requests a
    /// second (closed loop) or p99 (open loop), and CPU per request where both are known. Throws
    /// std::runtime_error for a test that the file does not have with the same server, title and
    /// load, or without a figure.
    regressions compare(const std::vector<result>& results, double tolerance) const;

private:
    using row = std::map<std::string, std::string>;

    void add(const std::vector<std::string>& names, const std::vector<std::string>& cells);

    std::string file_;
    std::vector<row> rows_;
};

}  // namespace butterdb::bench
