#pragma once

#include <butterdb/base/flat_buffer.hpp>

#include <cstddef>
#include <memory_resource>
#include <span>
#include <string_view>
#include <vector>

namespace butterdb {

/// Room for the arguments of one request, verb first. The views lie in the connection's input
/// buffer.
using argument_list = std::pmr::vector<std::string_view>;

enum class line_fault { none, control_byte, unbalanced_quotes, too_many_arguments };

/// Splits a line (without its end) into arguments.
///
/// Arguments are separated by blanks (space, TAB). `"..."` understands `\xHH \n \r \t \b \a \\ \"`,
/// any other `\c` is `c`; `'...'` understands `\'` alone. A quote may open inside an argument; the
/// closing quote is followed by a blank or the end. Control bytes are allowed inside quotes only.
///
/// Quoted arguments are decoded in place, which never makes them longer: `line` is overwritten and
/// the views point into it. Source: docs/protocol.md, "A line".
line_fault split_line(std::span<char> line, argument_list& arguments, std::size_t arguments_max);

/// Appends `"..."` with escapes: printable, one line, and `split_line` gives the bytes back.
void append_quoted(flat_buffer& out, std::string_view bytes);

/// Returns how many bytes a value takes in a text reply: its own where it is written bare, since a
/// reader cannot take it for anything else; more where it is quoted. O(value). Source:
/// docs/protocol.md, "A value".
std::size_t shown_size(std::string_view value) noexcept;

/// Writes a value as a text reply shows it to `to`, which has room for `size`, its `shown_size`.
/// Returns the end of what it wrote.
char* write_value(char* to, std::string_view value, std::size_t size) noexcept;

/// Appends one argument of a request, quoted when it needs it.
void append_argument(flat_buffer& out, std::string_view argument);

}  // namespace butterdb
