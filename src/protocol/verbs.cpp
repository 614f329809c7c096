#include "parsers.hpp"
#include <butterdb/base/assert.hpp>
#include <butterdb/base/text.hpp>
#include <butterdb/protocol/verbs.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

namespace butterdb {

namespace {

using enum effect;

// A row is three lines, and one more for its traits.
// clang-format off
constexpr auto table = std::to_array<verb>({
    {"PUT", 3, any_number, parsers::set, writes, {1, 1, 1}, "string",
     "PUT key value [NX|XX|IFEQ value] [GET] [EX s|PX ms|EXAT s|PXAT ms|KEEPTTL]",
     "Stores value under key."},
    {"SET", 3, any_number, parsers::set, writes, {1, 1, 1}, "string",
     "SET key value [NX|XX|IFEQ value] [GET] [EX s|PX ms|EXAT s|PXAT ms|KEEPTTL]",
     "Stores value under key, as PUT does."},
    {"GET", 2, 2, parsers::one<command::get>, reads, {1, 1, 1}, "string",
     "GET key",
     "Gives the value of key."},
    {"DEL", 2, any_number, parsers::rest<command::del>, writes, {1, -1, 1}, "generic",
     "DEL key [key ...]",
     "Deletes keys."},
    {"SETNX", 3, 3, parsers::setnx, writes, {1, 1, 1}, "string",
     "SETNX key value",
     "Stores value unless the key is there; says 1 or 0."},
    {"SETEX", 4, 4, parsers::setex, writes, {1, 1, 1}, "string",
     "SETEX key seconds value",
     "Stores value for so many seconds."},
    {"PSETEX", 4, 4, parsers::psetex, writes, {1, 1, 1}, "string",
     "PSETEX key milliseconds value",
     "Stores value for so many milliseconds."},
    {"GETSET", 3, 3, parsers::getset, writes, {1, 1, 1}, "string",
     "GETSET key value",
     "Stores value, gives the old one."},
    {"GETDEL", 2, 2, parsers::one<command::getdel>, writes, {1, 1, 1}, "string",
     "GETDEL key",
     "Gives the value and deletes it."},
    {"GETEX", 2, any_number, parsers::getex, writes, {1, 1, 1}, "string",
     "GETEX key [EX s|PX ms|EXAT s|PXAT ms|PERSIST]",
     "Gives the value and changes when it expires."},
    {"GETTTL", 2, 2, parsers::one<command::getttl>, reads, {1, 1, 1}, "string",
     "GETTTL key",
     "Gives the value and the milliseconds it has left, -1 without a deadline."},
    {"MGET", 2, any_number, parsers::rest<command::mget>, reads, {1, -1, 1}, "string",
     "MGET key [key ...]",
     "Gives the values of keys."},
    {"MSET", 3, any_number, parsers::mset, writes, {1, -1, 2}, "string",
     "MSET key value [key value ...]",
     "Stores several values."},
    {"MSETNX", 3, any_number, parsers::mset, writes, {1, -1, 2}, "string",
     "MSETNX key value [key value ...]",
     "Stores several values unless one of the keys is there."},
    {"APPEND", 3, 3, parsers::append, writes, {1, 1, 1}, "string",
     "APPEND key value",
     "Puts value behind the one that is there; gives the length."},
    {"STRLEN", 2, 2, parsers::one<command::strlen>, reads, {1, 1, 1}, "string",
     "STRLEN key",
     "Gives the length of a value in bytes."},
    {"GETRANGE", 4, 4, parsers::getrange, reads, {1, 1, 1}, "string",
     "GETRANGE key first last",
     "Gives the bytes from first to last; negative ones count from the end."},
    {"SUBSTR", 4, 4, parsers::getrange, reads, {1, 1, 1}, "string",
     "SUBSTR key first last",
     "Does what GETRANGE does."},
    {"SETRANGE", 4, 4, parsers::setrange, writes, {1, 1, 1}, "string",
     "SETRANGE key offset value",
     "Writes over a part of a value; gives its length."},
    {"INCR", 2, 2, parsers::incr, writes, {1, 1, 1}, "string",
     "INCR key",
     "Adds 1 to a number."},
    {"DECR", 2, 2, parsers::decr, writes, {1, 1, 1}, "string",
     "DECR key",
     "Takes 1 from a number."},
    {"INCRBY", 3, 3, parsers::incrby, writes, {1, 1, 1}, "string",
     "INCRBY key amount",
     "Adds to a number."},
    {"DECRBY", 3, 3, parsers::decrby, writes, {1, 1, 1}, "string",
     "DECRBY key amount",
     "Takes from a number."},
    {"INCRBYFLOAT", 3, 3, parsers::incrbyfloat, writes, {1, 1, 1}, "string",
     "INCRBYFLOAT key amount",
     "Adds to a number with a fraction."},
    {"UNLINK", 2, any_number, parsers::rest<command::unlink>, writes, {1, -1, 1}, "generic",
     "UNLINK key [key ...]",
     "Deletes keys; gives how many there were."},
    {"DELPREFIX", 3, 5, parsers::delprefix, writes, {0, 0, 0}, "generic",
     "DELPREFIX cursor prefix [COUNT n]",
     "Deletes keys that begin with prefix, step by step as SCAN walks."},
    {"EXISTS", 2, any_number, parsers::rest<command::exists>, reads, {1, -1, 1}, "generic",
     "EXISTS key [key ...]",
     "Counts the keys that exist."},
    {"TOUCH", 2, any_number, parsers::rest<command::touch>, reads, {1, -1, 1}, "generic",
     "TOUCH key [key ...]",
     "Counts the keys that exist, and has them count as read."},
    {"TYPE", 2, 2, parsers::one<command::type>, reads, {1, 1, 1}, "generic",
     "TYPE key",
     "Says string, or none."},
    {"RENAME", 3, 3, parsers::rename, writes, {1, 2, 1}, "generic",
     "RENAME key newkey",
     "Gives an entry another key."},
    {"RENAMENX", 3, 3, parsers::rename, writes, {1, 2, 1}, "generic",
     "RENAMENX key newkey",
     "Gives an entry another key unless that is there."},
    {"COPY", 3, any_number, parsers::copy, writes, {1, 2, 1}, "generic",
     "COPY key newkey [DB 0] [REPLACE]",
     "Copies an entry with its deadline."},
    {"RANDOMKEY", 1, 1, parsers::plain<command::randomkey>, reads, {0, 0, 0}, "generic",
     "RANDOMKEY",
     "Gives some key."},
    {"KEYS", 2, 2, parsers::one<command::keys>, reads, {0, 0, 0}, "generic",
     "KEYS pattern",
     "Gives all keys that match; looks at every one."},
    {"SCAN", 2, any_number, parsers::scan, reads, {0, 0, 0}, "generic",
     "SCAN cursor [MATCH pattern] [COUNT n] [TYPE type]",
     "Walks over all keys, some at a time."},
    {"SSCAN", 3, any_number, parsers::scan_elements, reads, {1, 1, 1}, "set",
     "SSCAN key cursor [MATCH pattern] [COUNT n]",
     "Answers an empty scan: there are no sets; a string is an error."},
    {"HSCAN", 3, any_number, parsers::scan_elements, reads, {1, 1, 1}, "hash",
     "HSCAN key cursor [MATCH pattern] [COUNT n] [NOVALUES]",
     "Answers an empty scan: there are no hashes; a string is an error."},
    {"ZSCAN", 3, any_number, parsers::scan_elements, reads, {1, 1, 1}, "sorted-set",
     "ZSCAN key cursor [MATCH pattern] [COUNT n]",
     "Answers an empty scan: there are no sorted sets; a string is an error."},
    {"DBSIZE", 1, 1, parsers::plain<command::dbsize>, reads, {0, 0, 0}, "server",
     "DBSIZE",
     "Counts all keys."},
    {"FLUSHALL", 1, any_number, parsers::flush, writes, {0, 0, 0}, "server",
     "FLUSHALL [ASYNC|SYNC]",
     "Deletes all keys."},
    {"FLUSHDB", 1, any_number, parsers::flush, writes, {0, 0, 0}, "server",
     "FLUSHDB [ASYNC|SYNC]",
     "Deletes all keys."},
    {"EXPIRE", 3, any_number, parsers::expire, writes, {1, 1, 1}, "generic",
     "EXPIRE key seconds [NX|XX|GT|LT]",
     "Lets an entry expire after so many seconds."},
    {"PEXPIRE", 3, any_number, parsers::pexpire, writes, {1, 1, 1}, "generic",
     "PEXPIRE key milliseconds [NX|XX|GT|LT]",
     "Lets an entry expire after so many milliseconds."},
    {"EXPIREAT", 3, any_number, parsers::expireat, writes, {1, 1, 1}, "generic",
     "EXPIREAT key seconds [NX|XX|GT|LT]",
     "Lets an entry expire at a time, in seconds after 1970."},
    {"PEXPIREAT", 3, any_number, parsers::pexpireat, writes, {1, 1, 1}, "generic",
     "PEXPIREAT key milliseconds [NX|XX|GT|LT]",
     "Lets an entry expire at a time, in milliseconds after 1970."},
    {"TTL", 2, 2, parsers::ttl, reads, {1, 1, 1}, "generic",
     "TTL key",
     "Gives the seconds left; -1 without a deadline, -2 when absent."},
    {"PTTL", 2, 2, parsers::pttl, reads, {1, 1, 1}, "generic",
     "PTTL key",
     "Gives the milliseconds left; -1 without a deadline, -2 when absent."},
    {"EXPIRETIME", 2, 2, parsers::expiretime, reads, {1, 1, 1}, "generic",
     "EXPIRETIME key",
     "Gives the deadline in seconds after 1970; -1 or -2 as TTL."},
    {"PEXPIRETIME", 2, 2, parsers::pexpiretime, reads, {1, 1, 1}, "generic",
     "PEXPIRETIME key",
     "Gives the deadline in milliseconds after 1970; -1 or -2 as TTL."},
    {"PERSIST", 2, 2, parsers::one<command::persist>, writes, {1, 1, 1}, "generic",
     "PERSIST key",
     "Takes the deadline away; says 1, or 0 when there was none."},
    {"TIME", 1, 1, parsers::plain<command::time>, none, {0, 0, 0}, "server",
     "TIME",
     "Gives the server's time: seconds after 1970, and microseconds."},
    {"MULTI", 1, 1, parsers::plain<command::multi>, none, {0, 0, 0}, "transactions",
     "MULTI",
     "Begins a transaction: what follows is queued until EXEC.",
     {.at_once = true}},
    {"EXEC", 1, 1, parsers::plain<command::exec>, none, {0, 0, 0}, "transactions",
     "EXEC",
     "Executes what is queued, unless a watched key has changed.",
     {.at_once = true}},
    {"DISCARD", 1, 1, parsers::plain<command::discard>, none, {0, 0, 0}, "transactions",
     "DISCARD",
     "Drops what is queued, and the watch.",
     {.at_once = true}},
    {"WATCH", 2, any_number, parsers::rest<command::watch>, none, {1, -1, 1}, "transactions",
     "WATCH key [key ...]",
     "Lets the next EXEC do nothing if one of the keys changes before.",
     {.at_once = true}},
    {"UNWATCH", 1, 1, parsers::plain<command::unwatch>, none, {0, 0, 0}, "transactions",
     "UNWATCH",
     "Forgets the watched keys."},
    {"WAITKEY", 3, 3, parsers::waitkey, reads, {1, 1, 1}, "string",
     "WAITKEY key milliseconds",
     "Gives the value as soon as the key is there; 0 waits without end."},
    {"PING", 1, any_number, parsers::ping, none, {0, 0, 0}, "connection",
     "PING [message]",
     "Answers PONG, or the message."},
    {"ECHO", 2, 2, parsers::one<command::echo>, none, {0, 0, 0}, "connection",
     "ECHO message",
     "Gives the message back."},
    {"HELLO", 1, any_number, parsers::hello, none, {0, 0, 0}, "connection",
     "HELLO [2|3 [AUTH user password] [SETNAME name]]",
     "Chooses the protocol, describes the server.",
     {.for_strangers = true, .for_administration = true}},
    {"AUTH", 2, any_number, parsers::auth, none, {0, 0, 0}, "connection",
     "AUTH [user] password",
     "Says who the client is, where a password is asked for.",
     {.for_strangers = true, .for_administration = true}},
    {"SELECT", 2, 2, parsers::select, none, {0, 0, 0}, "connection",
     "SELECT 0",
     "Chooses the database; there is one."},
    {"CLIENT", 2, any_number, parsers::client, none, {0, 0, 0}, "connection",
     "CLIENT ID|INFO|LIST|SETNAME name|GETNAME|SETINFO option value|KILL ID id|NO-EVICT on",
     "Tells about connections, names or closes them.",
     {.for_administration = true, .has_subcommands = true}},
    {"RESET", 1, 1, parsers::plain<command::reset>, none, {0, 0, 0}, "connection",
     "RESET",
     "Drops transaction, watched keys, name and password; brings RESP3 back to RESP2.",
     {.at_once = true, .for_strangers = true}},
    {"QUIT", 1, any_number, parsers::plain<command::quit>, none, {0, 0, 0}, "connection",
     "QUIT",
     "Answers OK and closes the connection.",
     {.at_once = true, .for_strangers = true}},
    {"EXIT", 1, 1, parsers::plain<command::exit>, none, {0, 0, 0}, "connection",
     "EXIT",
     "Closes the connection.",
     {.at_once = true, .for_strangers = true}},
    {"HELP", 1, 2, parsers::help, none, {0, 0, 0}, "server",
     "HELP [command]",
     "Lists the commands, or explains one."},
    {"INFO", 1, any_number, parsers::rest<command::info>, none, {0, 0, 0}, "server",
     "INFO [section ...]",
     "Describes the server, by sections.",
     {.for_administration = true}},
    {"COMMAND", 1, any_number, parsers::commands, none, {0, 0, 0}, "server",
     "COMMAND [COUNT|LIST|INFO [name ...]|DOCS [name ...]]",
     "Describes the commands, for programs.",
     {.has_subcommands = true}},
    {"CONFIG", 2, any_number, parsers::config, none, {0, 0, 0}, "server",
     "CONFIG GET pattern [pattern ...]|SET name value [name value ...]|RESETSTAT",
     "Shows and changes settings; sets counters back.",
     {.for_administration = true, .has_subcommands = true}},
    {"MEMORY", 2, any_number, parsers::memory, reads, {2, 2, 1}, "server",
     "MEMORY USAGE key",
     "Gives the bytes that an entry takes, without its share of the index.",
     {.has_subcommands = true}},
    {"FUNCTION", 2, any_number, parsers::function, none, {0, 0, 0}, "scripting",
     "FUNCTION FLUSH [ASYNC|SYNC]",
     "Answers OK: there are no functions.",
     {.has_subcommands = true}},
});
// clang-format on

constexpr std::size_t verb_bytes_max = 16;

template <typename Word>
constexpr Word load(const char* at) noexcept {
    Word word = 0;
    if (std::is_constant_evaluated()) {
        for (std::size_t i = sizeof word; i-- > 0;) {
            word = static_cast<Word>(word << 8 | static_cast<unsigned char>(at[i]));
        }
    } else {
        std::memcpy(&word, at, sizeof word);
    }
    return word;
}

// All letters of a name of at most 16, without their case, in two words that overlap where it is
// short. Names of one length are equal if these are, since a verb has nothing but letters: no other
// byte becomes one without its bit for the case.
struct folded_name {
    std::uint64_t front = 0;
    std::uint64_t back = 0;

    constexpr explicit folded_name(std::string_view name) noexcept {
        constexpr std::uint64_t without_case = 0xdfdfdfdfdfdfdfdf;
        const char* const begin = name.data();
        const char* const end = begin + name.size();
        if (name.size() >= sizeof(std::uint64_t)) {
            front = load<std::uint64_t>(begin);
            back = load<std::uint64_t>(end - sizeof(std::uint64_t));
        } else if (name.size() >= sizeof(std::uint32_t)) {
            front = load<std::uint32_t>(begin);
            back = load<std::uint32_t>(end - sizeof(std::uint32_t));
        } else if (!name.empty()) {
            front = load<std::uint8_t>(begin) | std::uint64_t{load<std::uint8_t>(end - 1)} << 8;
            back = load<std::uint8_t>(begin + name.size() / 2);
        }
        front &= without_case;
        back &= without_case;
    }

    constexpr bool operator==(const folded_name&) const noexcept = default;
};

static_assert(std::ranges::all_of(table, [](const verb& row) {
    return row.name.size() <= verb_bytes_max &&
           std::ranges::all_of(row.name, [](char c) { return c >= 'A' && c <= 'Z'; });
}));

// Verb to row: a perfect hash, whose multiplier is found at compile time.
struct verb_index {
    static constexpr std::size_t places = 2048;
    static constexpr std::uint8_t none = 0xff;
    static_assert(table.size() < none);

    std::array<std::uint8_t, places> rows{};
    std::uint64_t multiplier = 0x9e3779b97f4a7c15;

    constexpr std::size_t place_of(const folded_name& name, std::size_t size) const noexcept {
        return static_cast<std::size_t>(((name.front ^ name.back << 1 ^ size) * multiplier) >> 53);
    }

    constexpr bool fill() {
        rows.fill(none);
        for (std::size_t row = 0; row < table.size(); ++row) {
            const auto name = table[row].name;
            auto& place = rows[place_of(folded_name(name), name.size())];
            if (place != none) {
                return false;
            }
            place = static_cast<std::uint8_t>(row);
        }
        return true;
    }

    constexpr verb_index() {
        while (!fill()) {
            multiplier += 0xc6577cb3b369c032;
        }
    }
};

constexpr verb_index index{};

constexpr auto folded_names = [] {
    std::array<std::pair<std::uint64_t, std::uint64_t>, table.size()> names{};
    for (std::size_t row = 0; row < table.size(); ++row) {
        const folded_name folded(table[row].name);
        names[row] = {folded.front, folded.back};
    }
    return names;
}();

// As Redis ends its error for an unknown command.
std::string first_arguments(arguments request) {
    std::string text = ", with args beginning with: ";
    std::size_t left = error_input_bytes_max - std::min(request[0].size(), error_input_bytes_max);
    for (const auto each : request.subspan(1)) {
        if (left == 0) {
            break;
        }
        text.append("'").append(printable(each, left)).append("' ");
        left -= std::min(each.size(), left);
    }
    return text;
}

}  // namespace

std::span<const verb> verbs() noexcept {
    return table;
}

const verb* find_verb(std::string_view name) noexcept {
    if (name.size() > verb_bytes_max) {
        return nullptr;
    }
    const folded_name folded(name);
    const auto row = index.rows[index.place_of(folded, name.size())];
    if (row == verb_index::none) {
        return nullptr;
    }
    const auto [front, back] = folded_names[row];
    const bool is_it =
        folded.front == front && folded.back == back && table[row].name.size() == name.size();
    return is_it ? &table[row] : nullptr;
}

error unknown_command(std::string_view name) {
    return parsers::form_error("unknown command '" + printable(name) + "'");
}

result<const verb*> find_command(arguments request) {
    BUTTERDB_ASSERT(!request.empty());
    const auto* const row = find_verb(request[0]);
    if (row == nullptr) {
        return unknown_command(request[0]);
    }
    if (!row->takes(request.size())) {
        return parsers::bad_arity(row->name);
    }
    return row;
}

std::string advice(arguments request, const error& why, dialect speaks) {
    const auto* const row = find_verb(request[0]);
    const std::string_view text = why.text;
    if (row == nullptr) {
        return speaks == dialect::text ? "; HELP lists the commands" : first_arguments(request);
    }
    if (speaks != dialect::text) {
        const bool of_subcommand = text.starts_with("unknown");
        return of_subcommand ? ". Try " + std::string(row->name) + " HELP." : std::string();
    }
    if (!text.starts_with("syntax") && !text.starts_with("wrong") && !text.starts_with("unknown")) {
        return {};  // it is a value that is wrong
    }
    const bool too_many = request.size() > row->arguments_min && row->arguments_max > 1;
    return "; usage: " + std::string(row->usage) +
           (too_many ? " (with quotes around what has blanks)" : "");
}

}  // namespace butterdb
