#pragma once

#include <array>
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

}  // namespace butterdb::bench
