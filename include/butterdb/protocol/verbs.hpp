#pragma once

#include <butterdb/base/result.hpp>
#include <butterdb/protocol/command.hpp>
#include <butterdb/protocol/reply.hpp>

#include <cstddef>
#include <limits>
#include <span>
#include <string_view>

namespace butterdb {

inline constexpr std::size_t any_number = std::numeric_limits<std::size_t>::max();

/// Which arguments of a command are keys: routers and clients ask. The verb has the number 0.
struct key_places {
    int first = 0;  ///< 0: there are none
    int last = 0;   ///< negative: from the end
    int step = 0;
};

/// What a command does with keys and values.
enum class effect { none, reads, writes };

/// What sets a verb apart; most have nothing of it.
struct verb_traits {
    bool at_once = false;             ///< executed between MULTI and EXEC too, never queued
    bool for_strangers = false;       ///< needs no password
    bool for_administration = false;  ///< executed for clients beyond limits::clients_max, too
    bool has_subcommands = false;     ///< which are checked when it is queued, as by Redis
};

/// One row of the command table: all that is known about a verb before it runs.
struct verb {
    std::string_view name;                     ///< upper case
    std::size_t arguments_min;                 ///< the verb itself counts
    std::size_t arguments_max;                 ///< `any_number`: no bound but the request's
    result<command::any> (*parse)(arguments);  ///< called with an arity in bounds
    effect does;
    key_places keys;
    std::string_view group;  ///< where the documents of Redis have it
    std::string_view usage;
    std::string_view summary;
    verb_traits traits = {};

    /// Whether a request of so many arguments can be one.
    constexpr bool takes(std::size_t count) const noexcept {
        return count >= arguments_min && count <= arguments_max;
    }
};

/// The one truth about commands, in the order of HELP. Parsing, HELP, COMMAND and the check of
/// docs/protocol.md read it.
std::span<const verb> verbs() noexcept;

/// The row of a verb in any case, or null.
const verb* find_verb(std::string_view name) noexcept;

/// The row of a request whose number of arguments it allows, or why there is none (an error of
/// form). Requires at least one argument. Allocates only to describe an error.
result<const verb*> find_command(arguments request);

/// The error for a verb that is not in the table.
error unknown_command(std::string_view name);

/// How an error of form ends: in text with what the command takes, in RESP as Redis does.
std::string advice(arguments request, const error& why, dialect speaks);

}  // namespace butterdb
