#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace butterdb::test {

/// Whether runs tell on stderr what happens; for whoever looks into one that failed.
inline bool tracing = false;

/// Bytes as one printable line, shortened.
inline std::string shown(std::string_view bytes, std::size_t bytes_max = 200) {
    std::string text;
    for (const char c : bytes.substr(0, bytes_max)) {
        if (c >= ' ' && c <= '~') {
            text += c;
        } else {
            char escaped[5];
            std::snprintf(escaped, sizeof escaped, "\\x%02x", static_cast<unsigned char>(c));
            text += escaped;
        }
    }
    return bytes.size() <= bytes_max ? text : text + "...";
}

/// A line of what happens: who (a number), what, and bytes that go with it.
inline void trace(std::uint64_t who, const char* what, std::string_view bytes = {}) {
    if (tracing) {
        std::fprintf(
            stderr,
            "%llu %s %s\n",
            static_cast<unsigned long long>(who),
            what,
            shown(bytes).c_str());
    }
}

}  // namespace butterdb::test
