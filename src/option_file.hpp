#pragma once

#include <cstddef>
#include <istream>
#include <stdexcept>
#include <string>
#include <vector>

namespace butterdb {

/// A line of a file of options.
struct option_line {
    std::size_t number;  ///< from 1 on
    std::string name;
    std::vector<std::string> values;  ///< one, or those of a list
};

/// A line that cannot be read.
class option_line_error : public std::runtime_error {
public:
    option_line_error(std::size_t line, const std::string& reason)
        : std::runtime_error(reason), number(line) {}

    std::size_t number;  ///< of the line
};

/// Reads lines of the form
///
///     NAME = VALUE
///     NAME = "VALUE", or 'VALUE'
///     NAME = [VALUE, "VALUE"]
///
/// `#` begins a comment outside quotes; empty lines do not count. A byte order mark of UTF-8 is
/// skipped. Throws option_line_error.
std::vector<option_line> read_option_lines(std::istream& input);

}  // namespace butterdb
