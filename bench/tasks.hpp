#pragma once

#include "options.hpp"
#include "report.hpp"
#include "result.hpp"

#include <vector>

namespace butterdb::bench {

/// Returns the tests that the options ask for, once each, without what they will measure. Requires
/// another mode than search. Throws std::runtime_error for a server that cannot be one.
std::vector<result> planned_tests(const options& asked);

/// Carries out what the options ask for, writes it to `out` as it comes, and gives all of it.
/// Throws when a server is not there or cannot be started.
findings carry_out(const options& asked, report& out);

}  // namespace butterdb::bench
