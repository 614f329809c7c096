#pragma once

#include "load.hpp"

#include <string>
#include <vector>

namespace butterdb::bench {

enum class format { text, json, csv };

/// A test, and how the text report shows it.
struct planned_test {
    enum class style { full, line };
    style shown;
    std::string title;  ///< printed before the first test that bears it
    load test;
};

struct options {
    target server;
    bool spawn = false;
    format output = format::text;
    std::vector<planned_test> plan;
};

/// Reads the command line. Without `--clients` the plan is the seed's two tests.
/// Throws CLI::ParseError, also to show help.
options read_options(int argc, const char* const* argv, std::string& help);

}  // namespace butterdb::bench
