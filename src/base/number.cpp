#include <butterdb/base/number.hpp>

#include <algorithm>
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

// An exponent of thousands costs as much as thousands of digits.
std::uint64_t steps_to_parse_float(std::string_view text) noexcept {
    constexpr std::uint64_t steps_per_digit = 6;
    constexpr std::uint64_t steps_of_large_exponent = 10'000;
    if (text.empty() || text.size() >= float_chars_max) {
        return 0;
    }
    auto exponent = text.substr(std::min(text.find_last_of("eEpP"), text.size() - 1) + 1);
    exponent.remove_prefix(std::min(exponent.find_first_of("0123456789"), exponent.size()));
    return steps_per_digit * text.size() + (exponent.size() > 3 ? steps_of_large_exponent : 0);
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

// A number is printed by dividing it again and again, each time for a few digits more.
std::uint64_t steps_to_format_float(long double number) noexcept {
    const bool has_exponent = std::isfinite(number) && number != 0;
    const auto exponent =
        has_exponent ? static_cast<std::uint64_t>(std::abs(std::ilogb(number))) : 0;
    const auto digits = std::abs(number) < 1 ? 1 : exponent * 3 / 10 + 1;
    return exponent / 3 + digits * (20 + digits / 16);
}

std::string format_shortest(double number) {
    constexpr std::size_t double_chars_max = 1'100;  // the smallest has 1,076 with its point
    std::array<char, double_chars_max> digits;
    const auto written =
        std::to_chars(digits.begin(), digits.end(), number, std::chars_format::fixed);
    return {digits.begin(), written.ptr};
}

}  // namespace butterdb
