#include <butterdb/base/assert.hpp>
#include <butterdb/base/text.hpp>
#include <butterdb/protocol/verbs.hpp>

#include <array>
#include <cstdint>

namespace butterdb {

namespace {

error form_error(std::string text) {
    return {error::kind::form, "ERR", std::move(text)};
}

error syntax_error() {
    return form_error("syntax error");
}

// Commands without arguments, or whose arguments are all one thing.

template <typename Command>
result<command::any> parse_plain(arguments) {
    return command::any{Command{}};
}

template <typename Command>
result<command::any> parse_one(arguments args) {
    return command::any{Command{args[1]}};
}

template <typename Command>
result<command::any> parse_rest(arguments args) {
    return command::any{Command{args.subspan(1)}};
}

// Commands of their own shape, one function each.

result<command::any> parse_set(arguments args) {
    if (args.size() > 3) {
        return syntax_error();
    }
    return command::any{command::set{args[1], args[2]}};
}

result<command::any> parse_ping(arguments args) {
    const bool has_message = args.size() == 2;
    return command::any{command::ping{has_message, has_message ? args[1] : std::string_view{}}};
}

result<command::any> parse_flushall(arguments args) {
    if (args.size() == 2 && !equals_ignoring_case(args[1], "ASYNC") &&
        !equals_ignoring_case(args[1], "SYNC")) {
        return syntax_error();
    }
    return command::any{command::flushall{}};
}

result<command::any> parse_help(arguments args) {
    return command::any{command::help{args.size() == 2 ? args[1] : std::string_view{}}};
}

using namespace command;

constexpr auto table = std::to_array<verb>({
    {"PUT", 3, any_number, parse_set, "PUT key value", "Stores value under key."},
    {"SET", 3, any_number, parse_set, "SET key value", "Stores value under key, as PUT does."},
    {"GET", 2, 2, parse_one<get>, "GET key", "Gives the value of key."},
    {"DEL", 2, any_number, parse_rest<del>, "DEL key [key ...]", "Deletes keys."},
    {"EXISTS",
     2,
     any_number,
     parse_rest<exists>,
     "EXISTS key [key ...]",
     "Counts the keys that exist."},
    {"DBSIZE", 1, 1, parse_plain<dbsize>, "DBSIZE", "Counts all keys."},
    {"FLUSHALL", 1, 2, parse_flushall, "FLUSHALL [ASYNC|SYNC]", "Deletes all keys."},
    {"PING", 1, 2, parse_ping, "PING [message]", "Answers PONG, or the message."},
    {"ECHO", 2, 2, parse_one<echo>, "ECHO message", "Gives the message back."},
    {"HELP", 1, 2, parse_help, "HELP [command]", "Lists the commands, or explains one."},
    {"INFO",
     1,
     any_number,
     parse_rest<info>,
     "INFO [section ...]",
     "Describes the server: sections server, clients, memory, stats."},
    {"QUIT", 1, any_number, parse_plain<quit>, "QUIT", "Answers OK and closes the connection."},
    {"EXIT", 1, 1, parse_plain<command::exit>, "EXIT", "Closes the connection."},
});

// Verb to row, made at compile time: open addressing, a power of two at least twice the rows.
struct verb_index {
    static constexpr std::size_t places = 64;
    static_assert(places >= 2 * table.size());
    static constexpr std::uint8_t none = 0xff;

    std::array<std::uint8_t, places> rows{};

    static constexpr std::size_t place_of(std::string_view name) noexcept {
        std::uint32_t hash = 2166136261U;  // FNV-1a, 32 bits
        for (const char c : name) {
            hash = (hash ^ static_cast<unsigned char>(to_upper(c))) * 16777619U;
        }
        return hash % places;
    }

    constexpr verb_index() {
        rows.fill(none);
        for (std::size_t row = 0; row < table.size(); ++row) {
            auto place = place_of(table[row].name);
            while (rows[place] != none) {
                place = (place + 1) % places;
            }
            rows[place] = static_cast<std::uint8_t>(row);
        }
    }
};

constexpr verb_index index{};

constexpr std::size_t verb_bytes_max = 16;

}  // namespace

std::span<const verb> verbs() noexcept {
    return table;
}

const verb* find_verb(std::string_view name) noexcept {
    if (name.size() > verb_bytes_max) {
        return nullptr;
    }
    for (auto place = verb_index::place_of(name); index.rows[place] != verb_index::none;
         place = (place + 1) % verb_index::places) {
        const auto& row = table[index.rows[place]];
        if (equals_ignoring_case(name, row.name)) {
            return &row;
        }
    }
    return nullptr;
}

error unknown_command(std::string_view name) {
    return form_error("unknown command '" + printable(name) + "'");
}

result<command::any> parse(arguments request) {
    BUTTERDB_ASSERT(!request.empty());
    const auto* const row = find_verb(request[0]);
    if (row == nullptr) {
        return unknown_command(request[0]);
    }
    if (request.size() < row->arguments_min || request.size() > row->arguments_max) {
        return form_error("wrong number of arguments for '" + to_lower(row->name) + "' command");
    }
    return row->parse(request);
}

}  // namespace butterdb
