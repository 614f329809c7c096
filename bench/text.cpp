#include "text.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>

namespace butterdb::bench {

namespace {

std::string with_commas(std::string_view digits) {
    std::string text;
    for (std::size_t i = 0; i < digits.size(); ++i) {
        if (i > 0 && (digits.size() - i) % 3 == 0) {
            text += ',';
        }
        text += digits[i];
    }
    return text;
}

}  // namespace

std::string grouped(std::uint64_t number) {
    return with_commas(std::to_string(number));
}

std::string shown(double number) {
    std::array<char, 400> room{};  // no double takes 350 in this form
    const auto* const end =
        std::to_chars(room.data(), room.data() + room.size(), number, std::chars_format::fixed).ptr;
    const std::string_view digits(room.data(), static_cast<std::size_t>(end - room.data()));
    const auto point = std::min(digits.find('.'), digits.size());
    return with_commas(digits.substr(0, point)).append(digits.substr(point));
}

}  // namespace butterdb::bench
