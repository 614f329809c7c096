#include <butterdb/base/number.hpp>

#include <array>
#include <cctype>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace butterdb {

namespace {

// The longest decimal form of a long double, its fraction and sign included.
constexpr std::size_t float_chars_max = 5'120;

}  // namespace

std::optional<std::int64_t> parse_integer(std::string_view text) noexcept {
    const auto digits = text.substr(text.starts_with('-') ? 1 : 0);
    const bool zero = digits.starts_with('0');
    if (zero && text.size() > 1) {
        return std::nullopt;
    }
    return parse_whole<std::int64_t>(text);
}

std::optional<long double> parse_float(std::string_view text) {
    if (text.empty() || text.size() >= float_chars_max ||
        std::isspace(static_cast<unsigned char>(text.front())) != 0) {
        return std::nullopt;
    }
    const std::string copy(text);
    char* end = nullptr;
    errno = 0;
    const auto number = std::strtold(copy.c_str(), &end);
    const bool out_of_range = errno == ERANGE && (std::isinf(number) || number == 0);
    if (end != copy.c_str() + copy.size() || out_of_range || std::isnan(number)) {
        return std::nullopt;
    }
    return number;
}

std::optional<double> parse_decimal(std::string_view text) noexcept {
    double number = 0;
    const auto* const end = text.data() + text.size();
    const auto [at, fault] = std::from_chars(text.data(), end, number);
    const bool is_number = fault == std::errc{} && at == end && std::isfinite(number);
    return is_number ? std::optional(number) : std::nullopt;
}

std::string format_float(long double number) {
    std::array<char, float_chars_max> digits{};
    const auto written = std::snprintf(digits.data(), digits.size(), "%.17Lf", number);
    std::string text(digits.data(), static_cast<std::size_t>(written));
    text.erase(text.find_last_not_of('0') + 1);
    if (text.ends_with('.')) {
        text.pop_back();
    }
    return text == "-0" ? "0" : text;
}

}  // namespace butterdb
