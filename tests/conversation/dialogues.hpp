#pragma once

#include "support/choices.hpp"

namespace butterdb::test {

/// Several clients of one engine and the reference side by side, as long as there are choices: what
/// they say, how it is cut, whose turn it is, how time goes on, which limits hold and which
/// allocations of the store fail. Throws wrong_reply at the first difference.
void run_dialogues(choices& choose);

}  // namespace butterdb::test
