#include "parsers.hpp"

#include <butterdb/base/number.hpp>
#include <butterdb/base/text.hpp>

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <string>
#include <utility>

namespace butterdb::parsers {

namespace {

constexpr auto integer_max = std::numeric_limits<std::int64_t>::max();
constexpr auto integer_min = std::numeric_limits<std::int64_t>::min();

// A span longer than this, added to the time of a clock before the year 2248, would overflow.
constexpr auto span_max = integer_max - (std::int64_t{1} << 43);

constexpr std::size_t scan_count_default = 10;

error syntax_error() {
    return form_error("syntax error");
}

error no_integer() {
    return form_error("value is not an integer or out of range");
}

error bad_expiry(std::string_view verb) {
    return form_error("invalid expire time in '" + to_lower(verb) + "' command");
}

// As Redis writes a command with its subcommand.
std::string full_name(arguments args) {
    return std::string(args[0]) + "|" + std::string(args[1]);
}

bool is(std::string_view argument, std::string_view upper_case) {
    return equals_ignoring_case(argument, upper_case);
}

// What is none of a verb's own subcommands: HELP, which each has, or a mistake.
parsed other_subcommand(arguments args) {
    if (!is(args[1], "HELP")) {
        return form_error("unknown subcommand '" + printable(args[1]) + "'");
    }
    if (args.size() > 2) {
        return bad_arity(full_name(args));
    }
    return command::any{command::help{args[0]}};
}

// Options that say when an entry expires: `EX 10`.
struct time_option {
    std::string_view name;
    expiry::mode how;
    bool seconds;
};

constexpr std::array time_options{
    time_option{"EX", expiry::mode::in, true},
    time_option{"PX", expiry::mode::in, false},
    time_option{"EXAT", expiry::mode::at, true},
    time_option{"PXAT", expiry::mode::at, false},
};

const time_option* find_time_option(std::string_view argument) {
    const auto* const found = std::ranges::find_if(
        time_options, [&](const time_option& each) { return is(argument, each.name); });
    return found == time_options.end() ? nullptr : found;
}

// A deadline that must lie after 1970 and, as a span, be positive.
result<expiry> read_expiry(
    std::string_view verb, expiry::mode how, bool seconds, std::string_view text) {
    auto amount = parse_integer(text);
    if (!amount) {
        return no_integer();
    }
    if (*amount <= 0 || (seconds && *amount > integer_max / 1000)) {
        return bad_expiry(verb);
    }
    const auto milliseconds = seconds ? *amount * 1000 : *amount;
    if (how == expiry::mode::in && milliseconds > span_max) {
        return bad_expiry(verb);
    }
    return expiry{how, milliseconds};
}

// What may stand behind the arguments of SET and GETEX; the words are checked before the numbers.
class entry_options {
public:
    // False: a syntax error.
    bool read(arguments options, bool of_set) {
        for (std::size_t i = 0; i < options.size(); ++i) {
            const auto word = options[i];
            const bool more = i + 1 < options.size();
            if (const auto* const at = find_time_option(word); at != nullptr) {
                if (!more || (how_ != nullptr && how_ != at) || has_mode()) {
                    return false;
                }
                how_ = at;
                amount_ = options[++i];
            } else if (of_set ? !read_word_of_set(word, options, i) : !read_persist(word)) {
                return false;
            }
        }
        return true;
    }

    result<expiry> deadline(std::string_view verb) const {
        if (how_ == nullptr) {
            return expiry{mode_, 0};
        }
        return read_expiry(verb, how_->how, how_->seconds, amount_);
    }

    std::string_view amount() const { return amount_; }

    command::set::condition when = command::set::condition::none;
    std::string_view expected;
    bool get = false;

private:
    using condition = command::set::condition;

    bool has_mode() const { return mode_ != expiry::mode::none; }

    bool read_persist(std::string_view word) {
        mode_ = expiry::mode::persist;
        return is(word, "PERSIST") && how_ == nullptr;
    }

    bool read_word_of_set(std::string_view word, arguments options, std::size_t& i) {
        if (is(word, "GET")) {
            get = true;
            return true;
        }
        if (is(word, "KEEPTTL")) {
            mode_ = expiry::mode::keep;
            return how_ == nullptr;
        }
        if (is(word, "IFEQ") && i + 1 < options.size()) {
            expected = options[++i];
            return choose(condition::if_equal);
        }
        return is(word, "NX") ? choose(condition::if_absent)
                              : is(word, "XX") && choose(condition::if_there);
    }

    bool choose(condition wanted) {
        const bool first = when == condition::none || when == wanted;
        when = wanted;
        return first;
    }

    expiry::mode mode_ = expiry::mode::none;
    const time_option* how_ = nullptr;
    std::string_view amount_;
};

parsed increment(std::string_view key, std::optional<std::int64_t> amount) {
    if (!amount) {
        return no_integer();
    }
    return command::any{command::incrby{key, *amount}};
}

parsed set_expiring(arguments args, bool seconds) {
    const auto deadline = read_expiry(args[0], expiry::mode::in, seconds, args[2]);
    if (!deadline) {
        return deadline.error();
    }
    return command::any{command::set{args[1], args[3], *deadline}};
}

struct expire_option {
    std::string_view name;
    unsigned when;
};

constexpr std::array expire_options{
    expire_option{"NX", command::expire::nx},
    expire_option{"XX", command::expire::xx},
    expire_option{"GT", command::expire::gt},
    expire_option{"LT", command::expire::lt},
};

result<unsigned> read_expire_conditions(arguments options) {
    using command::expire;
    unsigned when = expire::none;
    for (const auto word : options) {
        const auto* const option = std::ranges::find_if(
            expire_options, [&](const auto& each) { return is(word, each.name); });
        if (option == expire_options.end()) {
            return form_error("Unsupported option " + printable(word));
        }
        when |= option->when;
    }
    if ((when & expire::nx) != 0 && when != expire::nx) {
        return form_error("NX and XX, GT or LT options at the same time are not compatible");
    }
    if ((when & expire::gt) != 0 && (when & expire::lt) != 0) {
        return form_error("GT and LT options at the same time are not compatible");
    }
    return when;
}

// The times of EXPIRE may lie in the past.
parsed expire_by(arguments args, expiry::mode how, bool seconds) {
    const auto when = read_expire_conditions(args.subspan(3));
    if (!when) {
        return when.error();
    }
    const auto amount = parse_integer(args[2]);
    if (!amount) {
        return no_integer();
    }
    if (seconds && (*amount > integer_max / 1000 || *amount < integer_min / 1000)) {
        return bad_expiry(args[0]);
    }
    const auto milliseconds = seconds ? *amount * 1000 : *amount;
    if (how == expiry::mode::in && milliseconds > span_max) {
        return bad_expiry(args[0]);
    }
    return command::any{command::expire{args[1], {how, milliseconds}, *when}};
}

result<std::size_t> read_count(std::string_view text) {
    const auto count = parse_integer(text);
    if (!count) {
        return no_integer();
    }
    if (*count < 1) {
        return syntax_error();
    }
    return static_cast<std::size_t>(*count);
}

// A subcommand with how many arguments may follow it.
template <typename Action>
struct subcommand {
    std::string_view name;
    Action what;
    std::size_t rest_min;
    std::size_t rest_max;
};

constexpr auto any_number = std::numeric_limits<std::size_t>::max();

template <typename Command, typename Table>
parsed find_subcommand(arguments args, const Table& table) {
    for (const auto& each : table) {
        if (!is(args[1], each.name)) {
            continue;
        }
        const auto rest = args.subspan(2);
        if (rest.size() < each.rest_min || rest.size() > each.rest_max) {
            return bad_arity(full_name(args));
        }
        return command::any{Command{each.what, rest}};
    }
    return other_subcommand(args);
}

}  // namespace

error form_error(std::string text, std::string code) {
    return {error::kind::form, std::move(code), std::move(text)};
}

error bad_arity(std::string_view verb) {
    return form_error("wrong number of arguments for '" + to_lower(verb) + "' command");
}

// Values.

parsed set(arguments args) {
    entry_options options;
    if (!options.read(args.subspan(3), true)) {
        return syntax_error();
    }
    const auto deadline = options.deadline(args[0]);
    if (!deadline) {
        return deadline.error();
    }
    using answer = command::set::answer;
    return command::any{command::set{
        args[1],
        args[2],
        *deadline,
        options.when,
        options.expected,
        options.get ? answer::old_value : answer::ok}};
}

parsed setnx(arguments args) {
    using command::set;
    return command::any{
        set{args[1], args[2], {}, set::condition::if_absent, {}, set::answer::number}};
}

parsed setex(arguments args) {
    return set_expiring(args, true);
}

parsed psetex(arguments args) {
    return set_expiring(args, false);
}

parsed getset(arguments args) {
    using command::set;
    return command::any{
        set{args[1], args[2], {}, set::condition::none, {}, set::answer::old_value}};
}

parsed getex(arguments args) {
    entry_options options;
    if (!options.read(args.subspan(2), false)) {
        return syntax_error();
    }
    using fault = command::getex::fault;
    const auto deadline = options.deadline(args[0]);
    if (!deadline) {
        const bool number = parse_integer(options.amount()).has_value();
        return command::any{
            command::getex{args[1], {}, number ? fault::out_of_range : fault::no_integer}};
    }
    return command::any{command::getex{args[1], *deadline, fault::none}};
}

parsed mset(arguments args) {
    if (args.size() % 2 == 0) {
        return bad_arity(args[0]);
    }
    return command::any{command::mset{args.subspan(1), is(args[0], "MSETNX")}};
}

parsed append(arguments args) {
    return command::any{command::append{args[1], args[2]}};
}

parsed getrange(arguments args) {
    const auto first = parse_integer(args[2]);
    const auto last = parse_integer(args[3]);
    if (!first || !last) {
        return no_integer();
    }
    return command::any{command::getrange{args[1], *first, *last}};
}

parsed setrange(arguments args) {
    const auto offset = parse_integer(args[2]);
    if (!offset) {
        return no_integer();
    }
    if (*offset < 0) {
        return form_error("offset is out of range");
    }
    return command::any{command::setrange{args[1], *offset, args[3]}};
}

parsed incr(arguments args) {
    return increment(args[1], 1);
}

parsed decr(arguments args) {
    return increment(args[1], -1);
}

parsed incrby(arguments args) {
    return increment(args[1], parse_integer(args[2]));
}

parsed decrby(arguments args) {
    const auto amount = parse_integer(args[2]);
    if (amount == integer_min) {
        return form_error("decrement would overflow");
    }
    return increment(args[1], amount ? std::optional(-*amount) : std::nullopt);
}

parsed incrbyfloat(arguments args) {
    return command::any{command::incrbyfloat{args[1], args[2]}};
}

// Keys.

parsed delprefix(arguments args) {
    const auto cursor = parse_whole<std::uint64_t>(args[1]);
    if (!cursor) {
        return form_error("invalid cursor");
    }
    std::size_t count = scan_count_default;
    if (args.size() > 3) {
        if (args.size() != 5 || !is(args[3], "COUNT")) {
            return syntax_error();
        }
        const auto asked = read_count(args[4]);
        if (!asked) {
            return asked.error();
        }
        count = *asked;
    }
    return command::any{command::delprefix{*cursor, args[2], count}};
}

parsed rename(arguments args) {
    return command::any{command::rename{args[1], args[2], is(args[0], "RENAMENX")}};
}

parsed copy(arguments args) {
    bool replace = false;
    for (std::size_t i = 3; i < args.size(); ++i) {
        if (is(args[i], "REPLACE")) {
            replace = true;
        } else if (is(args[i], "DB") && i + 1 < args.size()) {
            const auto number = parse_integer(args[++i]);
            if (!number) {
                return no_integer();
            }
            if (*number != 0) {
                return form_error("DB index is out of range");
            }
        } else {
            return syntax_error();
        }
    }
    return command::any{command::copy{args[1], args[2], replace}};
}

parsed scan(arguments args) {
    const auto cursor = parse_whole<std::uint64_t>(args[1]);
    if (!cursor) {
        return form_error("invalid cursor");
    }
    command::scan walk{*cursor, "*", scan_count_default, true};
    for (std::size_t i = 2; i < args.size(); i += 2) {
        if (i + 1 == args.size()) {
            return syntax_error();
        }
        if (is(args[i], "MATCH")) {
            walk.pattern = args[i + 1];
        } else if (is(args[i], "TYPE")) {
            walk.strings = is(args[i + 1], "STRING");
        } else if (is(args[i], "COUNT")) {
            const auto count = read_count(args[i + 1]);
            if (!count) {
                return count.error();
            }
            walk.count = *count;
        } else {
            return syntax_error();
        }
    }
    return command::any{walk};
}

// Redis reads the options only once it has found a set, a hash or a sorted set.
parsed scan_elements(arguments args) {
    if (!parse_whole<std::uint64_t>(args[2])) {
        return form_error("invalid cursor");
    }
    return command::any{command::scan_elements{args[1]}};
}

parsed flush(arguments args) {
    const bool known =
        args.size() == 1 || (args.size() == 2 && (is(args[1], "ASYNC") || is(args[1], "SYNC")));
    if (!known) {
        return syntax_error();
    }
    return command::any{command::flushall{}};
}

// Time.

parsed expire(arguments args) {
    return expire_by(args, expiry::mode::in, true);
}

parsed pexpire(arguments args) {
    return expire_by(args, expiry::mode::in, false);
}

parsed expireat(arguments args) {
    return expire_by(args, expiry::mode::at, true);
}

parsed pexpireat(arguments args) {
    return expire_by(args, expiry::mode::at, false);
}

parsed ttl(arguments args) {
    return command::any{command::ttl{args[1], false, false}};
}

parsed pttl(arguments args) {
    return command::any{command::ttl{args[1], false, true}};
}

parsed expiretime(arguments args) {
    return command::any{command::ttl{args[1], true, false}};
}

parsed pexpiretime(arguments args) {
    return command::any{command::ttl{args[1], true, true}};
}

parsed waitkey(arguments args) {
    const auto span = parse_integer(args[2]);
    if (!span || *span > span_max) {
        return form_error("timeout is not an integer or out of range");
    }
    if (*span < 0) {
        return form_error("timeout is negative");
    }
    return command::any{command::waitkey{args[1], *span}};
}

// The connection.

parsed ping(arguments args) {
    if (args.size() > 2) {
        return bad_arity(args[0]);
    }
    const bool has_message = args.size() == 2;
    return command::any{command::ping{has_message, has_message ? args[1] : std::string_view{}}};
}

parsed hello(arguments args) {
    command::hello greeting;
    if (args.size() > 1) {
        const auto version = parse_integer(args[1]);
        if (!version) {
            return form_error("Protocol version is not an integer or out of range");
        }
        if (*version < 2 || *version > 3) {
            return form_error("unsupported protocol version", "NOPROTO");
        }
        greeting.version = static_cast<int>(*version);
    }
    for (std::size_t i = 2; i < args.size(); ++i) {
        const auto more = args.size() - 1 - i;
        if (is(args[i], "AUTH") && more >= 2) {
            greeting.who = command::credentials{args[i + 1], args[i + 2]};
            i += 2;
        } else if (is(args[i], "SETNAME") && more >= 1) {
            greeting.name = args[++i];
        } else {
            return form_error("Syntax error in HELLO option '" + printable(args[i]) + "'");
        }
    }
    return command::any{greeting};
}

parsed auth(arguments args) {
    if (args.size() > 3) {
        return syntax_error();
    }
    const bool has_user = args.size() == 3;
    const auto user = has_user ? args[1] : command::credentials::default_user;
    return command::any{command::auth{{user, args.back()}, has_user}};
}

parsed select(arguments args) {
    const auto number = parse_integer(args[1]);
    if (!number) {
        return no_integer();
    }
    if (*number != 0) {
        return form_error("DB index is out of range");
    }
    return command::any{command::select{}};
}

parsed client(arguments args) {
    using command::client;
    using action = client::action;
    static constexpr std::array table{
        subcommand<action>{"ID", action::id, 0, 0},
        subcommand<action>{"INFO", action::info, 0, 0},
        subcommand<action>{"LIST", action::list, 0, any_number},
        subcommand<action>{"SETNAME", action::setname, 1, 1},
        subcommand<action>{"GETNAME", action::getname, 0, 0},
        subcommand<action>{"SETINFO", action::setinfo, 2, 2},
        subcommand<action>{"KILL", action::kill, 1, any_number},
        subcommand<action>{"NO-EVICT", action::no_evict, 1, 1},
    };
    return find_subcommand<client>(args, table);
}

// The server.

parsed help(arguments args) {
    return command::any{command::help{args.size() == 2 ? args[1] : std::string_view{}}};
}

parsed commands(arguments args) {
    using command::commands;
    using action = commands::action;
    static constexpr std::array table{
        subcommand<action>{"COUNT", action::count, 0, 0},
        subcommand<action>{"DOCS", action::docs, 0, any_number},
        subcommand<action>{"INFO", action::info, 0, any_number},
        subcommand<action>{"LIST", action::list, 0, 0},
    };
    if (args.size() == 1) {
        return command::any{commands{action::all, {}}};
    }
    return find_subcommand<commands>(args, table);
}

parsed config(arguments args) {
    using command::config;
    using action = config::action;
    static constexpr std::array table{
        subcommand<action>{"GET", action::get, 1, any_number},
        subcommand<action>{"SET", action::set, 2, any_number},
        subcommand<action>{"RESETSTAT", action::resetstat, 0, 0},
    };
    if (is(args[1], "SET") && args.size() % 2 != 0) {
        return bad_arity(full_name(args));
    }
    return find_subcommand<config>(args, table);
}

parsed memory(arguments args) {
    if (!is(args[1], "USAGE")) {
        return other_subcommand(args);
    }
    if (args.size() != 3 && !(args.size() == 5 && is(args[3], "SAMPLES"))) {
        return args.size() < 3 ? bad_arity(full_name(args)) : syntax_error();
    }
    return command::any{command::memory_usage{args[2]}};
}

parsed function(arguments args) {
    if (!is(args[1], "FLUSH")) {
        return other_subcommand(args);
    }
    if (args.size() > 3) {
        return bad_arity(full_name(args));
    }
    if (args.size() == 3 && !is(args[2], "ASYNC") && !is(args[2], "SYNC")) {
        return form_error("FUNCTION FLUSH only supports SYNC|ASYNC option");
    }
    return command::any{command::function_flush{}};
}

}  // namespace butterdb::parsers
