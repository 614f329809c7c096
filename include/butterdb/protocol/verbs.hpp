#pragma once

#include <butterdb/base/result.hpp>
#include <butterdb/protocol/command.hpp>

#include <cstddef>
#include <limits>
#include <span>
#include <string_view>

namespace butterdb {

inline constexpr std::size_t any_number = std::numeric_limits<std::size_t>::max();

/// One row of the command table: all that is known about a verb before it runs.
struct verb {
    std::string_view name;                     ///< upper case
    std::size_t arguments_min;                 ///< the verb itself counts
    std::size_t arguments_max;                 ///< `any_number`: no bound but the request's
    result<command::any> (*parse)(arguments);  ///< called with an arity in bounds
    std::string_view usage;
    std::string_view summary;
};

/// The one truth about commands, in the order of HELP. Parsing, HELP and the check of
/// docs/protocol.md read it.
std::span<const verb> verbs() noexcept;

/// The row of a verb in any case, or null.
const verb* find_verb(std::string_view name) noexcept;

/// The command that a request means, or why it means none (an error of form).
/// Requires at least one argument. Allocates only to describe an error.
result<command::any> parse(arguments request);

/// The error for a verb that is not in the table.
error unknown_command(std::string_view name);

}  // namespace butterdb
