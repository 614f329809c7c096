#pragma once

#include "options.hpp"
#include "result.hpp"

#include <string>
#include <vector>

namespace butterdb::bench {

/// Writes results to standard output as they come, in one of three forms. The fields of JSON and
/// CSV are those of docs/benchmarks.md, "Output".
class report {
public:
    /// `as_lines`: in text, a line for each test instead of a block.
    report(format form, bool as_lines) noexcept : form_(form), as_lines_(as_lines) {}

    void add(const result& each);
    void add(const search_result& found);
    void add(const search_step& step);
    void add(const std::vector<comparison_row>& rows);
    void end();

    /// From here on in lines, as the seed's second test is.
    void set_lines(bool as_lines) noexcept { as_lines_ = as_lines; }

private:
    void add_text(const result& each);

    format form_;
    bool as_lines_;
    std::string last_title_;
    std::string last_server_;
    bool first_ = true;
};

/// A field of a result, as JSON and CSV have it: a number, a word, or `null`.
struct field {
    const char* name;
    std::string value;
    bool is_text = false;
};

std::vector<field> fields_of(const result& each);

/// Returns those of `fields_of` that say what the load is, besides its rate, clients and pipeline.
std::vector<field> load_fields_of(const load& test);

}  // namespace butterdb::bench
