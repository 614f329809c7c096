#include <butterdb/base/text.hpp>

#include <algorithm>

namespace butterdb {

std::string to_lower(std::string_view text) {
    std::string lower(text);
    for (auto& c : lower) {
        if (c >= 'A' && c <= 'Z') {
            c = static_cast<char>(c - 'A' + 'a');
        }
    }
    return lower;
}

std::string printable(std::string_view bytes, std::size_t bytes_max) {
    std::string clean(bytes.substr(0, bytes_max));
    for (auto& c : clean) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f) {
            c = '.';
        }
    }
    return clean;
}

}  // namespace butterdb
