#pragma once

#include "load.hpp"
#include "options.hpp"

#include <string>

namespace butterdb::bench {

/// Writes the measurements to standard output as they come, in one of three forms. The fields of
/// JSON and CSV are those of docs/benchmarks.md, "Output".
class report {
public:
    explicit report(format form) noexcept : form_(form) {}

    /// Names the server. Nothing is written before the first measurement.
    void begin(const std::string& server) { server_ = server; }
    void add(const planned_test& planned, const measurement& measured);
    void end();

private:
    void add_text(const planned_test& planned, const measurement& measured);

    format form_;
    std::string server_;
    std::string last_title_;
    bool first_ = true;
};

}  // namespace butterdb::bench
