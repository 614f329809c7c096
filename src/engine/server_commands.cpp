// Commands that describe the server.

#include "info.hpp"
#include "replies.hpp"
#include <butterdb/base/text.hpp>
#include <butterdb/engine/engine.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace butterdb {

namespace {

// Redis counts arguments, and a command that takes more of them than so many as minus that.
std::int64_t arity(const verb& row) {
    const auto least = static_cast<std::int64_t>(row.arguments_min);
    return row.arguments_min == row.arguments_max ? least : -least;
}

// A verb that names its keys is fast: how many others there are does not matter to it.
void describe_flags(const verb& row, reply_writer& out) {
    const std::array<std::pair<bool, std::string_view>, 4> flags{{
        {row.does == effect::writes, "write"},
        {row.does == effect::reads, "readonly"},
        {row.keys.first != 0, "fast"},
        {row.traits.for_strangers, "no_auth"},
    }};
    const auto is_set = [](const auto& each) { return each.first; };
    out.array(static_cast<std::size_t>(std::ranges::count_if(flags, is_set)));
    for (const auto& [set, name] : flags) {
        if (set) {
            out.status(name);
        }
    }
}

void describe(const verb& row, reply_writer& out) {
    out.array(10);
    out.bulk(to_lower(row.name));
    out.integer(arity(row));
    describe_flags(row, out);
    out.integer(row.keys.first);
    out.integer(row.keys.last);
    out.integer(row.keys.step);
    for (int i = 0; i < 4; ++i) {  // categories, tips, key specifications, subcommands
        out.array(0);
    }
}

void document(const verb& row, reply_writer& out) {
    out.map(3);
    out.bulk("summary");
    out.bulk(row.summary);
    out.bulk("syntax");
    out.bulk(row.usage);
    out.bulk("group");
    out.bulk(row.group);
}

}  // namespace

// INFO looks at all clients, to count those that wait, and compares each word with each section.
void engine::run(const command::info& request, turn& t) {
    if (!may_take_steps(t)) {
        return;
    }
    steps_.take(10 * steps_per_description + count.connected_clients * steps_per_client);
    steps_.take(request.sections.size() * 2 * steps_per_word);
    t.out.text(describe_server(request.sections, *this, t.now));
}

void engine::run(const command::help& request, turn& t) {
    if (!may_take_steps(t)) {
        return;
    }
    steps_.take(verbs().size() * steps_per_entry);
    std::string lines;
    for (const auto& row : verbs()) {
        if (request.verb.empty() || find_verb(request.verb) == &row) {
            lines.append(row.usage).append(" - ").append(row.summary).append("\n");
        }
    }
    if (lines.empty()) {
        t.out.failure(unknown_command(request.verb));
    } else {
        t.out.text(lines);
    }
}

void engine::run(const command::commands& request, turn& t) {
    using action = command::commands::action;
    if (!may_take_steps(t)) {
        return;
    }
    const auto names = request.names;
    steps_.take((names.empty() ? verbs().size() : names.size()) * steps_per_description);
    switch (request.what) {
        case action::count:
            t.out.integer(static_cast<std::int64_t>(verbs().size()));
            break;
        case action::list:
            t.out.array(verbs().size());
            for (const auto& row : verbs()) {
                t.out.bulk(to_lower(row.name));
            }
            break;
        case action::all:
        case action::info:
            describe_commands(names, t);
            break;
        case action::docs:
            document_commands(names, t);
            break;
    }
}

void engine::describe_commands(arguments names, turn& t) {
    if (names.empty()) {
        t.out.array(verbs().size());
        std::ranges::for_each(verbs(), [&](const verb& row) { describe(row, t.out); });
        return;
    }
    t.out.array(names.size());
    for (const auto name : names) {
        const auto* const row = find_verb(name);
        row == nullptr ? t.out.null() : describe(*row, t.out);
    }
}

// Each command once, in the order of the table, however often and in which order it is named.
void engine::document_commands(arguments names, turn& t) {
    std::vector<bool> is_asked(verbs().size(), names.empty());
    for (const auto name : names) {
        const auto* const row = find_verb(name);
        if (row != nullptr) {
            is_asked[static_cast<std::size_t>(row - verbs().data())] = true;
        }
    }
    t.out.map(static_cast<std::size_t>(std::ranges::count(is_asked, true)));
    for (const auto& row : verbs()) {
        if (is_asked[static_cast<std::size_t>(&row - verbs().data())]) {
            t.out.bulk(to_lower(row.name));
            document(row, t.out);
        }
    }
}

void engine::run(const command::memory_usage& request, turn& t) {
    const auto found = db_.find(request.key, t.now);
    if (found) {
        t.out.integer(static_cast<std::int64_t>(found->memory));
    } else {
        t.out.null();
    }
}

void engine::run(const command::function_flush&, turn& t) {
    t.out.status("OK");
}

}  // namespace butterdb
