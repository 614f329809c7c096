#pragma once

#include <cstddef>
#include <string_view>

namespace butterdb::test {

/// Feeds bytes to a conversation, whole and cut into pieces as the first byte says, and aborts
/// unless both give the same replies. The rest is found by the sanitizers.
void fuzz_conversation(std::string_view bytes);

}  // namespace butterdb::test
