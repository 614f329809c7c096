#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <variant>

namespace butterdb {

/// Arguments of a request, side by side.
using arguments = std::span<const std::string_view>;

/// What a command does to the deadline of an entry.
struct expiry {
    enum class mode {
        none,     ///< the entry has none afterwards
        keep,     ///< it stays as it is
        persist,  ///< it is taken away
        in,       ///< `milliseconds` from now
        at,       ///< `milliseconds` after 1970 UTC
    };

    mode how = mode::none;
    std::int64_t milliseconds = 0;
};

}  // namespace butterdb

namespace butterdb::command {

// The abstract syntax tree of requests: one small struct per command. The views point into the
// request they were parsed from and live as long as it does.

// Values.

/// SET and all of its kind.
struct set {
    enum class condition { none, if_absent, if_there, if_equal };
    enum class answer { ok, number, old_value };

    std::string_view key;
    std::string_view value;
    expiry deadline{};
    condition when = condition::none;
    std::string_view expected{};  ///< of if_equal
    answer reply = answer::ok;
};
struct get {
    std::string_view key;
};
struct getdel {
    std::string_view key;
};
struct getex {
    /// What is wrong with the deadline; told only when the key is there, as Redis does.
    enum class fault { none, no_integer, out_of_range };

    std::string_view key;
    expiry deadline;  ///< mode::none: as it is
    fault wrong;
};
struct getttl {
    std::string_view key;
};
struct mget {
    arguments keys;
};
struct mset {
    arguments pairs;  ///< key, value, key, value ...
    bool if_all_absent;
};
struct append {
    std::string_view key;
    std::string_view value;
};
struct strlen {
    std::string_view key;
};
struct getrange {
    std::string_view key;
    std::int64_t first;  ///< negative: from the end
    std::int64_t last;   ///< included
};
struct setrange {
    std::string_view key;
    std::int64_t offset;
    std::string_view value;
};
struct incrby {
    std::string_view key;
    std::int64_t amount;
};
struct incrbyfloat {
    std::string_view key;
    std::string_view amount;  ///< looked at after the value, as Redis does
};

// Keys.

struct del {
    arguments keys;
};
struct unlink {
    arguments keys;
};
struct delprefix {
    std::uint64_t cursor;
    std::string_view prefix;
    std::size_t count;
};
struct exists {
    arguments keys;
};
struct touch {
    arguments keys;
};
struct type {
    std::string_view key;
};
struct rename {
    std::string_view from;
    std::string_view to;
    bool if_absent;
};
struct copy {
    std::string_view from;
    std::string_view to;
    bool replace;
};
struct randomkey {};
struct keys {
    std::string_view pattern;
};
struct scan {
    std::uint64_t cursor;
    std::string_view pattern;
    std::size_t count;
    bool strings;  ///< false: of a type that there is none of
};
/// SSCAN, HSCAN, ZSCAN: elements of a set, a hash, a sorted set, of which there is none.
struct scan_elements {
    std::string_view key;
};
struct dbsize {};
struct flushall {};

// Time.

struct expire {
    enum condition : unsigned { none = 0, nx = 1, xx = 2, gt = 4, lt = 8 };

    std::string_view key;
    expiry deadline;
    unsigned when;  ///< of `condition`
};
struct ttl {
    std::string_view key;
    bool absolute;
    bool milliseconds;
};
struct persist {
    std::string_view key;
};
struct time {};

// Together.

struct multi {};
struct exec {};
struct discard {};
struct watch {
    arguments keys;
};
struct unwatch {};

/// Answers as soon as the key is there.
struct waitkey {
    std::string_view key;
    std::int64_t milliseconds;  ///< 0: without end
};

// The connection.

struct ping {
    bool has_message;
    std::string_view message;
};
struct echo {
    std::string_view message;
};
/// The user and password of AUTH and HELLO.
struct credentials {
    std::string_view user = default_user;
    std::string_view password;

    static constexpr std::string_view default_user = "default";  ///< there is no other
};
struct hello {
    int version = 0;  ///< 0: as it is
    std::optional<credentials> who{};
    std::optional<std::string_view> name{};
};
struct auth {
    credentials who;
    bool has_user = false;
};
struct select {};
struct reset {};
struct client {
    enum class action { id, info, list, setname, getname, setinfo, kill, no_evict };

    action what;
    arguments rest;  ///< behind the subcommand
};
struct quit {};
struct exit {};

// The server.

struct info {
    arguments sections;  ///< empty: all sections
};
struct help {
    std::string_view verb;  ///< empty: all commands
};
struct commands {
    enum class action { all, count, docs, info, list };

    action what;
    arguments names;  ///< empty: all commands
};
struct config {
    enum class action { get, set, resetstat };

    action what;
    arguments rest;  ///< patterns, or names and values
};
struct memory_usage {
    std::string_view key;
};
struct function_flush {};

using any = std::variant<
    set,
    get,
    getdel,
    getex,
    getttl,
    mget,
    mset,
    append,
    strlen,
    getrange,
    setrange,
    incrby,
    incrbyfloat,
    del,
    unlink,
    delprefix,
    exists,
    touch,
    type,
    rename,
    copy,
    randomkey,
    keys,
    scan,
    scan_elements,
    dbsize,
    flushall,
    expire,
    ttl,
    persist,
    time,
    multi,
    exec,
    discard,
    watch,
    unwatch,
    waitkey,
    ping,
    echo,
    hello,
    auth,
    select,
    reset,
    client,
    quit,
    exit,
    info,
    help,
    commands,
    config,
    memory_usage,
    function_flush>;

}  // namespace butterdb::command
