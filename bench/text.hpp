#pragma once

#include <array>
#include <cstdint>
#include <cstdio>
#include <string>

namespace butterdb::bench {

/// What printf would print, at most 255 bytes of it.
template <typename... Values>
std::string text(const char* form, Values... values) {
    std::array<char, 256> line{};
    std::snprintf(line.data(), line.size(), form, values...);
    return line.data();
}

/// Returns a number for people: `40,000`.
std::string grouped(std::uint64_t number);

/// Returns the fewest digits that read back as `number`, as people write them: `0.4`, `5,000`,
/// `1,062.5`. Requires a finite number of 0 or more.
std::string shown(double number);

}  // namespace butterdb::bench
