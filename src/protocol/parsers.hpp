#pragma once

#include <butterdb/base/result.hpp>
#include <butterdb/protocol/command.hpp>

#include <string>
#include <string_view>

namespace butterdb::parsers {

// One function for each shape of a request, called with an arity that the table allows. What they
// refuse is an error of form, in Redis's words.

using parsed = result<command::any>;

/// A request that cannot be read.
error form_error(std::string text, std::string code = "ERR");
/// It has too few or too many arguments. `verb` may name a subcommand behind a bar.
error bad_arity(std::string_view verb);

/// A command without arguments, or whose arguments do not matter.
template <typename Command>
parsed plain(arguments) {
    return command::any{Command{}};
}

/// A command with one argument.
template <typename Command>
parsed one(arguments args) {
    return command::any{Command{args[1]}};
}

/// A command whose arguments are all one thing.
template <typename Command>
parsed rest(arguments args) {
    return command::any{Command{args.subspan(1)}};
}

parsed set(arguments args);
parsed setnx(arguments args);
parsed setex(arguments args);
parsed psetex(arguments args);
parsed getset(arguments args);
parsed getex(arguments args);
parsed mset(arguments args);
parsed append(arguments args);
parsed getrange(arguments args);
parsed setrange(arguments args);
parsed incr(arguments args);
parsed decr(arguments args);
parsed incrby(arguments args);
parsed decrby(arguments args);
parsed incrbyfloat(arguments args);

parsed delprefix(arguments args);
parsed rename(arguments args);
parsed copy(arguments args);
parsed scan(arguments args);
parsed scan_elements(arguments args);
parsed flush(arguments args);

parsed expire(arguments args);
parsed pexpire(arguments args);
parsed expireat(arguments args);
parsed pexpireat(arguments args);
parsed ttl(arguments args);
parsed pttl(arguments args);
parsed expiretime(arguments args);
parsed pexpiretime(arguments args);

parsed waitkey(arguments args);

parsed ping(arguments args);
parsed hello(arguments args);
parsed auth(arguments args);
parsed select(arguments args);
parsed client(arguments args);

parsed help(arguments args);
parsed commands(arguments args);
parsed config(arguments args);
parsed memory(arguments args);
parsed function(arguments args);

}  // namespace butterdb::parsers
