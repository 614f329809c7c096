#pragma once

#include <CLI/App.hpp>

#include <cstdint>

namespace butterdb {

/// Accept numbers from `least` to `most` in decimal, for `CLI::Option::transform`: CLI11 itself
/// would read `010` as 8, and NaN as a number in every range.
CLI::Validator whole_number(std::uint64_t least, std::uint64_t most);
CLI::Validator decimal_number(double least, double most);

}  // namespace butterdb
