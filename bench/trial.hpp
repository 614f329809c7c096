#pragma once

#include "load.hpp"

namespace butterdb::bench {

/// Sends each command of `test` that is spelled out once, so that a mistake in one is found before
/// the test. Throws std::runtime_error, with the server's reply, when it refuses one.
void try_commands(const target& server, const load& test);

}  // namespace butterdb::bench
