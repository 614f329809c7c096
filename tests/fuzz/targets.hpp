#pragma once

#include <string_view>

namespace butterdb::test {

// What fuzzers run. Each takes any bytes and aborts when something that must hold does not; the
// rest is found by the sanitizers. The test of a target replays its corpus, in corpus/NAME.

/// Lines, and lines among other things: whole, and cut into pieces as the first byte says, against
/// a reader written down a second time.
void fuzz_lines(std::string_view bytes);

/// The same for arrays of RESP.
void fuzz_arrays(std::string_view bytes);

/// Conversations: whole, and cut into pieces as the first byte says, give the same replies.
void fuzz_conversation(std::string_view bytes);

/// Clients of one engine against the reference; the bytes are their choices.
void fuzz_dialogues(std::string_view bytes);

/// A store against a map; the bytes are the choices.
void fuzz_store(std::string_view bytes);

/// What a hostile server may send to our programs.
void fuzz_replies(std::string_view bytes);

/// Patterns: the first line against the second, and against a matcher that tries everything.
void fuzz_glob(std::string_view bytes);

/// Values of settings; the first byte says of which.
void fuzz_settings(std::string_view bytes);

/// Arrays, by a reader with a planted defect: to see that fuzzing finds something.
void fuzz_canary(std::string_view bytes);

}  // namespace butterdb::test
