#pragma once

#include <span>
#include <string_view>
#include <variant>

namespace butterdb {

/// Arguments of a request, side by side.
using arguments = std::span<const std::string_view>;

}  // namespace butterdb

namespace butterdb::command {

// The abstract syntax tree of requests: one small struct per command. The views point into the
// request they were parsed from and live as long as it does.

struct set {
    std::string_view key;
    std::string_view value;
};
struct get {
    std::string_view key;
};
struct del {
    arguments keys;
};
struct exists {
    arguments keys;
};
struct dbsize {};
struct flushall {};

struct ping {
    bool has_message;
    std::string_view message;
};
struct echo {
    std::string_view message;
};
struct help {
    std::string_view verb;  ///< empty: all commands
};
struct info {
    arguments sections;  ///< empty: all sections
};
struct quit {};
struct exit {};

using any =
    std::variant<set, get, del, exists, dbsize, flushall, ping, echo, help, info, quit, exit>;

}  // namespace butterdb::command
