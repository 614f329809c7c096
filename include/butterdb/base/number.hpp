#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

namespace butterdb {

/// The number that `text` is from end to end, in decimal, as std::from_chars reads it.
template <typename Integer>
std::optional<Integer> parse_whole(std::string_view text) noexcept {
    Integer number = 0;
    const auto* const end = text.data() + text.size();
    const auto [at, fault] = std::from_chars(text.data(), end, number);
    return fault == std::errc{} && at == end ? std::optional(number) : std::nullopt;
}

/// The 64-bit integer that `text` is in its one canonical form: digits, a minus sign before them
/// if negative; no plus, no leading zeros, no blanks, no `-0`.
std::optional<std::int64_t> parse_integer(std::string_view text) noexcept;

/// A floating-point number as C's strtold reads it, if `text` is one from end to end and in range;
/// infinity is one, NaN is not.
std::optional<long double> parse_float(std::string_view text);

/// Returns the number that `text` is from end to end, in decimal: digits, perhaps with a point and
/// an exponent. Hexadecimal numbers, infinity and NaN are none.
std::optional<double> parse_decimal(std::string_view text) noexcept;

/// Decimal, with at most 17 digits behind the point and no zeros at the end: `0.1`, `3`, `5e21` as
/// `5000000000000000000000`. Requires a finite number.
std::string format_float(long double number);

/// Returns the steps (see step_budget) that `parse_float` takes for a text.
std::uint64_t steps_to_parse_float(std::string_view text) noexcept;
/// Returns the steps that `format_float` takes: a million for a number of 4,900 digits.
std::uint64_t steps_to_format_float(long double number) noexcept;

/// Returns the fewest digits that `parse_decimal` reads as `number`, without an exponent: `0.1`,
/// `1000000000`. Requires a finite number.
std::string format_shortest(double number);

}  // namespace butterdb
