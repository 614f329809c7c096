#include "replies.hpp"
#include <butterdb/engine/engine.hpp>

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <variant>

namespace butterdb {

namespace {

// These act at once, also between MULTI and EXEC.
bool acts_at_once(std::string_view verb) noexcept {
    constexpr std::array<std::string_view, 7> names{
        "EXEC", "DISCARD", "MULTI", "WATCH", "RESET", "QUIT", "EXIT"};
    return std::ranges::find(names, verb) != names.end();
}

// What they have behind the verb is checked when they are queued, as by Redis.
bool has_subcommands(std::string_view verb) noexcept {
    constexpr std::array<std::string_view, 5> names{
        "CLIENT", "COMMAND", "CONFIG", "FUNCTION", "MEMORY"};
    return std::ranges::find(names, verb) != names.end();
}

error too_long(std::uint64_t bytes_max) {
    return refusal(
        "reply is over the limit of " + std::to_string(bytes_max) +
        " bytes; ask for less at a time");
}

}  // namespace

engine::engine(store& db, const limits& lim)
    : db_(db), limits_(lim), count_by_verb_(verbs().size()) {}

void engine::add(peer& who) {
    who.id = ++peers_seen_;
    who.previous = last_peer_;
    (last_peer_ == nullptr ? first_peer_ : last_peer_->next) = &who;
    last_peer_ = &who;
}

void engine::remove(peer& who) noexcept {
    forget_watches(who);
    stop_waiting(who);
    (who.previous == nullptr ? first_peer_ : who.previous->next) = who.next;
    (who.next == nullptr ? last_peer_ : who.next->previous) = who.previous;
}

engine::turn engine::begin(peer& who, flat_buffer& out, time_point now) const {
    return {
        who, out, reply_writer(out, who.speaks, out.size() + limits_.reply_bytes_max), now, false};
}

verb_counters& engine::counted(const verb& row) noexcept {
    return count_by_verb_[static_cast<std::size_t>(&row - verbs().data())];
}

void engine::execute(arguments request, peer& who, flat_buffer& out, time_point now) {
    who.last_request = now;
    const auto row = find_command(request);
    if (!row) {
        const auto* const known = find_verb(request[0]);
        if (known != nullptr) {
            ++counted(*known).rejected;
        }
        auto why = row.error();
        why.text += advice(request, why, who.speaks);
        if (known != nullptr && known->name == "EXEC") {
            abort_transaction(who);
        }
        refuse(why, who, out);
        return;
    }
    who.last_verb = (*row)->name;
    const auto before = out.size();
    auto t = begin(who, out, now);
    try {
        if (who.queueing && !acts_at_once((*row)->name)) {
            queue(**row, request, t);
        } else {
            dispatch(**row, request, t);
        }
    } catch (const reply_too_long&) {
        out.drop_back(out.size() - before);
        t.out.failure(too_long(limits_.reply_bytes_max));
    }
    if (scratch_.capacity() > limits_.scratch_bytes_kept) {
        scratch_ = std::string();
    }
}

void engine::refuse(const error& why, peer& who, flat_buffer& out) {
    who.spoilt = who.queueing;
    reply_writer(out, who.speaks).failure(why);
}

// Reads a request whose number of arguments is right, and carries it out.
void engine::dispatch(const verb& row, arguments request, turn& t) {
    const auto parsed = row.parse(request);
    if (!parsed) {
        ++counted(row).rejected;
        auto why = parsed.error();
        why.text += advice(request, why, t.who.speaks);
        t.out.failure(why);
        return;
    }
    ++counted(row).calls;
    ++count.commands_processed;
    std::visit([&](const auto& each) { run(each, t); }, *parsed);
}

// Keeps a request for EXEC. False: refused.
bool engine::queue(const verb& row, arguments request, turn& t) {
    std::uint64_t bytes = t.who.queue.bytes();
    for (const auto each : request) {
        bytes += each.size() + sizeof(std::size_t);
    }
    if (bytes > limits_.request_bytes_max()) {
        refuse(
            over_limit("transaction", bytes, limits_.request_bytes_max(), "--max-value"),
            t.who,
            t.bytes);
        return false;
    }
    if (has_subcommands(row.name)) {
        const auto parsed = row.parse(request);
        if (!parsed) {
            refuse(parsed.error(), t.who, t.bytes);
            return false;
        }
    }
    if (!t.who.spoilt) {
        t.who.queue.add(request);
    }
    t.out.status("QUEUED");
    return true;
}

// Transactions.

void engine::run(const command::multi&, turn& t) {
    if (t.who.queueing) {
        t.out.failure(refusal("MULTI calls can not be nested"));
        return;
    }
    t.who.queueing = true;
    t.out.status("OK");
}

void engine::run(const command::exec&, turn& t) {
    if (!t.who.queueing) {
        t.out.failure(refusal("EXEC without MULTI"));
        return;
    }
    const bool outdated = t.who.outdated || !watched_are_there(t.who, t.now);
    const bool spoilt = t.who.spoilt;
    const auto queue = std::exchange(t.who.queue, {});
    abort_transaction(t.who);
    if (spoilt) {
        t.out.failure(
            {error::kind::refused,
             "EXECABORT",
             "Transaction discarded because of previous errors."});
        return;
    }
    if (outdated) {
        t.out.null_array();
        return;
    }
    t.out.array(queue.size());
    t.in_transaction = true;
    bool whole = true;
    queue.for_each([&](arguments request) {
        // All are executed, whether or not there is room to say what came of it.
        const auto before = t.bytes.size();
        try {
            dispatch(*find_verb(request[0]), request, t);
        } catch (const reply_too_long&) {
            whole = false;
        }
        if (!whole) {
            t.bytes.drop_back(t.bytes.size() - before);
        }
    });
    if (!whole) {
        throw reply_too_long();
    }
}

void engine::run(const command::discard&, turn& t) {
    if (!t.who.queueing) {
        t.out.failure(refusal("DISCARD without MULTI"));
        return;
    }
    abort_transaction(t.who);
    t.out.status("OK");
}

void engine::run(const command::watch& request, turn& t) {
    if (t.who.queueing) {
        t.out.failure(refusal("WATCH inside MULTI is not allowed"));
        return;
    }
    if (t.who.watching.size() + request.keys.size() > limits_.watched_keys_max) {
        t.out.failure(refusal(
            "too many watched keys, more than " + std::to_string(limits_.watched_keys_max)));
        return;
    }
    for (const auto key : request.keys) {
        if (!fits(key, 0, t)) {
            return;
        }
    }
    for (const auto key : request.keys) {
        if (watches_.has(key, t.who)) {
            continue;
        }
        t.who.watching.push_back({std::string(key), db_.get(key, t.now).has_value()});
        watches_.add(key, t.who);
    }
    t.out.status("OK");
}

void engine::run(const command::unwatch&, turn& t) {
    forget_watches(t.who);
    t.out.status("OK");
}

void engine::abort_transaction(peer& who) noexcept {
    who.queueing = false;
    who.spoilt = false;
    who.queue = {};
    forget_watches(who);
}

void engine::forget_watches(peer& who) noexcept {
    for (const auto& each : who.watching) {
        watches_.remove(each.key, who);
    }
    who.watching = {};
    who.outdated = false;
}

// What expired or was evicted has changed too, and nobody was told.
bool engine::watched_are_there(const peer& who, time_point now) {
    return std::ranges::all_of(who.watching, [&](const auto& each) {
        return !each.existed || db_.get(each.key, now).has_value();
    });
}

// Waiting.

void engine::run(const command::waitkey& request, turn& t) {
    if (!fits(request.key, 0, t)) {
        return;
    }
    const auto found = look_up(request.key, t);
    if (found || t.in_transaction) {
        reply_value(found, t);
        return;
    }
    const std::chrono::milliseconds span(request.milliseconds);
    waits_.add(request.key, t.who);
    t.who.waits_for = request.key;
    t.who.waits_until = request.milliseconds == 0 ? no_deadline : t.now + span;
    if (on_wait) {
        on_wait(t.who.waits_until);
    }
}

bool engine::resume(peer& who, flat_buffer& out, time_point now) {
    who.woken = false;
    const auto found = db_.find(*who.waits_for, now);
    if (!found && now < who.waits_until) {
        if (on_wait) {
            on_wait(who.waits_until);  // the clock may have been set back
        }
        return false;
    }
    auto t = begin(who, out, now);
    reply_value(found, t);
    stop_waiting(who);
    return true;
}

std::optional<time_point> engine::wake_late(time_point now) {
    auto next = no_deadline;
    for (auto* each = first_peer_; each != nullptr; each = each->next) {
        if (!each->waits_for) {
            continue;
        }
        if (each->waits_until <= now) {
            each->woken = true;
            if (each->wake) {
                each->wake();
            }
        } else {
            next = std::min(next, each->waits_until);
        }
    }
    return next == no_deadline ? std::nullopt : std::optional(next);
}

std::size_t engine::waiting_clients() const noexcept {
    std::size_t waiting = 0;
    for (const auto* each = first_peer_; each != nullptr; each = each->next) {
        waiting += each->waits_for ? 1U : 0U;
    }
    return waiting;
}

void engine::stop_waiting(peer& who) noexcept {
    if (who.waits_for) {
        waits_.remove(*who.waits_for, who);
        who.waits_for.reset();
    }
}

// A key was written or deleted.
void engine::changed(std::string_view key) {
    watches_.for_each_watcher(key, [](peer& who) { who.outdated = true; });
    waits_.for_each_watcher(key, [](peer& who) {
        who.woken = true;
        if (who.wake) {
            who.wake();
        }
    });
}

// What commands share.

bool engine::fits(std::string_view key, std::size_t value_bytes, turn& t) const {
    if (key.size() > limits_.key_bytes_max) {
        t.out.failure(over_limit("key", key.size(), limits_.key_bytes_max, "--max-key"));
        return false;
    }
    if (value_bytes > limits_.value_bytes_max) {
        t.out.failure(over_limit("value", value_bytes, limits_.value_bytes_max, "--max-value"));
        return false;
    }
    return true;
}

// Stores a value; when it is refused, replies why. A deadline that has come deletes.
bool engine::write(std::string_view key, std::string_view value, time_point deadline, turn& t) {
    if (!fits(key, value.size(), t)) {
        return false;
    }
    if (deadline <= t.now) {
        erase(key, t);
        return true;
    }
    if (!db_.put(key, value, t.now, deadline)) {
        t.out.failure(
            {error::kind::refused, "OOM", "command not allowed when used memory > 'maxmemory'."});
        return false;
    }
    changed(key);
    return true;
}

bool engine::erase(std::string_view key, turn& t) {
    const bool was_there = db_.erase(key, t.now);
    if (was_there) {
        changed(key);
    }
    return was_there;
}

// Of a command that reads values, for the counters.
std::optional<store::entry> engine::look_up(std::string_view key, turn& t) {
    const auto found = db_.find(key, t.now);
    ++(found ? count.keyspace_hits : count.keyspace_misses);
    return found;
}

void engine::reply_value(const std::optional<store::entry>& found, turn& t) {
    if (found) {
        t.out.bulk(found->value);
    } else {
        t.out.null();
    }
}

}  // namespace butterdb
