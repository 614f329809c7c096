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

void engine::execute(arguments request, peer& who, flat_buffer& out, time_point now) {
    ++count.commands_processed;
    turn t{who, reply_writer(out, who.speaks), now, false};
    who.last_request = now;
    const auto row = find_command(request);
    if (!row) {
        auto why = row.error();
        why.text += advice(request, who.speaks);
        refuse(why, who, out);
        return;
    }
    auto& counted = count_by_verb_[static_cast<std::size_t>(*row - verbs().data())];
    who.last_verb = (*row)->name;
    if (who.queueing && !acts_at_once((*row)->name)) {
        if (who.queue.bytes() > limits_.request_bytes_max()) {
            refuse(
                refusal(
                    "transaction is too large, over " +
                    std::to_string(limits_.request_bytes_max()) + " bytes (--max-value)"),
                who,
                out);
            return;
        }
        who.queue.add(request);
        t.out.status("QUEUED");
        return;
    }
    const auto parsed = (*row)->parse(request);
    if (!parsed) {
        ++counted.rejected;
        auto why = parsed.error();
        why.text += advice(request, who.speaks);
        t.out.failure(why);
        return;
    }
    ++counted.calls;
    apply(*parsed, t);
}

void engine::refuse(const error& why, peer& who, flat_buffer& out) {
    who.spoilt = who.queueing;
    reply_writer(out, who.speaks).failure(why);
}

void engine::apply(const command::any& request, turn& t) {
    std::visit([&](const auto& each) { run(each, t); }, request);
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
    queue.for_each([&](arguments request) {
        const auto* const row = find_verb(request[0]);
        const auto parsed = row->parse(request);
        if (parsed) {
            ++count_by_verb_[static_cast<std::size_t>(row - verbs().data())].calls;
            apply(*parsed, t);
        } else {
            t.out.failure(parsed.error());
        }
    });
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
    for (const auto key : request.keys) {
        const bool known =
            std::ranges::any_of(t.who.watching, [&](const auto& each) { return each.key == key; });
        if (known) {
            continue;
        }
        if (t.who.watching.size() == limits_.watched_keys_max) {
            t.out.failure(refusal(
                "too many watched keys, more than " + std::to_string(limits_.watched_keys_max)));
            return;
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
        return false;
    }
    turn t{who, reply_writer(out, who.speaks), now, false};
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
