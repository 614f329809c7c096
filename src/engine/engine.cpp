#include "info.hpp"
#include <butterdb/engine/engine.hpp>
#include <butterdb/protocol/verbs.hpp>

#include <variant>

namespace butterdb {

namespace {

error refused(std::string code, std::string text) {
    return {error::kind::refused, std::move(code), std::move(text)};
}

error over_limit(std::string_view what, std::size_t size, std::size_t size_max, const char* flag) {
    return refused(
        "ERR",
        std::string(what) + " of " + std::to_string(size) + " bytes is over the limit of " +
            std::to_string(size_max) + " bytes (" + flag + ")");
}

}  // namespace

void engine::execute(const command::any& request, peer& who, reply_writer& out, time_point now) {
    ++count.commands_processed;
    turn t{who, out, now};
    std::visit([&](const auto& each) { run(each, t); }, request);
}

void engine::run(const command::set& request, turn& t) {
    if (request.key.size() > limits_.key_bytes_max) {
        t.out.failure(over_limit("key", request.key.size(), limits_.key_bytes_max, "--max-key"));
    } else if (request.value.size() > limits_.value_bytes_max) {
        t.out.failure(
            over_limit("value", request.value.size(), limits_.value_bytes_max, "--max-value"));
    } else if (db_.put(request.key, request.value, t.now)) {
        t.out.status("OK");
    } else {
        t.out.failure(refused("OOM", "command not allowed when used memory > 'maxmemory'."));
    }
}

void engine::run(const command::get& request, turn& t) {
    const auto value = db_.get(request.key, t.now);
    if (value) {
        ++count.keyspace_hits;
        t.out.bulk(*value);
    } else {
        ++count.keyspace_misses;
        t.out.null();
    }
}

void engine::run(const command::del& request, turn& t) {
    std::size_t deleted = 0;
    for (const auto key : request.keys) {
        deleted += db_.erase(key, t.now) ? 1U : 0U;
    }
    t.out.deleted(deleted, request.keys.size());
}

void engine::run(const command::exists& request, turn& t) {
    std::int64_t found = 0;
    for (const auto key : request.keys) {
        found += db_.get(key, t.now) ? 1 : 0;
    }
    t.out.integer(found);
}

void engine::run(const command::dbsize&, turn& t) {
    t.out.integer(static_cast<std::int64_t>(db_.size()));
}

void engine::run(const command::flushall&, turn& t) {
    db_.clear();
    t.out.status("OK");
}

void engine::run(const command::ping& request, turn& t) {
    if (request.has_message) {
        t.out.bulk(request.message);
    } else {
        t.out.pong();
    }
}

void engine::run(const command::echo& request, turn& t) {
    t.out.bulk(request.message);
}

void engine::run(const command::help& request, turn& t) {
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

void engine::run(const command::info& request, turn& t) {
    t.out.text(describe_server(request.sections, *this, db_, limits_, t.now));
}

void engine::run(const command::quit&, turn& t) {
    t.who.leaving = true;
    t.out.status("OK");
}

void engine::run(const command::exit&, turn& t) {
    t.who.leaving = true;
    t.out.farewell();
}

}  // namespace butterdb
