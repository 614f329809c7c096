#include "peer_heap.hpp"
#include "replies.hpp"
#include <butterdb/engine/engine.hpp>

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <variant>

namespace butterdb {

namespace {

error too_long(std::uint64_t bytes_max) {
    return refusal(
        "reply is over the limit of " + std::to_string(bytes_max) +
        " bytes; ask for less at a time");
}

// Why a request cannot be read, and what the client may try instead.
error advised(error why, arguments request, const peer& who) {
    why.text += advice(request, why, who.speaks);
    return why;
}

// The clients that may be closed so that memory comes back. Those without the password, those that
// are exempt, and those that go on sending while their replies wait have a share each: when all of
// a kind together hold more, the largest of them is closed, however little it holds. Else the
// largest client is closed, but none that is exempt.
class closable_clients {
public:
    explicit closable_clients(std::uint64_t& looked_at) noexcept
        : strangers_(looked_at), exempt_(looked_at), ahead_(looked_at), others_(looked_at) {}

    void add(peer& each) noexcept {
        if (each.stranger) {
            strangers_.add(each);
        } else if (each.exempt) {
            exempt_.add(each);
        } else if (each.ahead.bytes > 0) {
            ahead_.add(each);
        } else {
            others_.add(each);
        }
    }

    /// Returns the kind of which the largest client is to be closed next.
    peer_heap& next(std::uint64_t share) noexcept {
        for (auto* const kind : {&strangers_, &exempt_, &ahead_}) {
            if (kind->bytes() > share) {
                return *kind;
            }
        }
        const auto by_top = [](const peer_heap* one, const peer_heap* other) {
            return one->bytes_of_top() < other->bytes_of_top();
        };
        const std::array kinds{&others_, &strangers_, &ahead_};
        return **std::ranges::max_element(kinds, by_top);
    }

private:
    peer_heap strangers_;
    peer_heap exempt_;
    peer_heap ahead_;
    peer_heap others_;
};

}  // namespace

engine::engine(store& db, limits& lim, std::pmr::memory_resource& memory)
    : db_(db),
      limits_(lim),
      count_by_verb_(verbs().size()),
      request_memory_(memory),
      watches_(request_memory_, db.secret()),
      waits_(request_memory_, db.secret()) {
    add_word_settings();
    db_.take_steps_of(&steps_);
}

void engine::add(peer& who) {
    who.id = ++peers_seen_;
    who.stranger = static_cast<bool>(admits);
    who.previous = last_peer_;
    (last_peer_ == nullptr ? first_peer_ : last_peer_->next) = &who;
    last_peer_ = &who;
}

void engine::remove(peer& who) noexcept {
    forget_watches(who);
    stop_waiting(who);
    clients_ahead_.remove(who.ahead);
    bytes_shed_ -= who.bytes_shed;
    (who.previous == nullptr ? first_peer_ : who.previous->next) = who.next;
    (who.next == nullptr ? last_peer_ : who.next->previous) = who.previous;
}

engine::turn engine::begin(peer& who, flat_buffer& out, time_point now) {
    return {
        who,
        out,
        reply_writer(
            out, who.speaks, out.size() + limits_.reply_bytes_allowed(), &count.errors, &steps_),
        now,
        false};
}

// Closes clients until the others hold no more than the limit. O(clients), and O(log clients) for
// each that is closed.
void engine::close_largest_clients() {
    closable_clients clients(peers_looked_at_);
    for (auto* each = first_peer_; each != nullptr; each = each->next) {
        if (each->bytes_shed == 0) {
            clients.add(*each);
        }
    }
    const auto share = limits_.client_memory_max() / limits_.client_memory_share;
    while (client_memory_.bytes_used() > limits_.client_memory_max() + bytes_shed_) {
        auto& from = clients.next(share);
        if (from.bytes_of_top() == 0) {
            return;
        }
        close_for_memory(from.take());
    }
}

void engine::close_for_memory(peer& who) {
    who.bytes_shed = who.memory.bytes_used();
    bytes_shed_ += who.bytes_shed;
    ++count.closed_for_memory;
    who.leaving = true;
    if (who.cut) {
        who.cut();
    }
}

verb_counters& engine::counted(const verb& row) noexcept {
    return count_by_verb_[static_cast<std::size_t>(&row - verbs().data())];
}

void engine::execute(arguments request, peer& who, flat_buffer& out, time_point now) {
    who.last_request = now;
    bytes_moved_ = 0;
    steps_ = step_budget(limits_.request_steps_max);
    const auto* const row = find_verb(request[0]);
    if (row == nullptr || !row->takes(request.size())) {
        reject(request, row, who, out);
        return;
    }
    who.last_verb = row->name;
    const scratch_cleanup cleanup{*this};
    auto t = begin(who, out, now);
    reply_within_limit(t, [&] {
        if (who.administrative && !row->traits.for_administration) {
            refuse_for_place(t.who, t.bytes);
        } else if (who.stranger && !row->traits.for_strangers) {
            refuse_stranger(*row, t);
        } else if (who.queueing && !row->traits.at_once) {
            queue(*row, request, t);
        } else {
            dispatch(*row, request, t);
        }
    });
    if (who.administrative) {
        note_administration(who);
    }
}

// A right password counts while its answer is still delayed.
void engine::note_administration(peer& who) const {
    const bool is_authenticated = who.login ? who.login->is_right : !who.stranger;
    if (is_authenticated && !who.leaving && who.administration_proved) {
        who.administration_proved();
    }
}

// Calls act(), which replies; an error takes the place of a reply that is too long.
template <typename Act>
void engine::reply_within_limit(turn& t, Act act) {
    const auto before = t.bytes.size();
    try {
        act();
    } catch (const reply_too_long&) {
        t.bytes.drop_back(t.bytes.size() - before);
        t.out.failure(too_long(limits_.reply_bytes_allowed()));
    }
}

// A verb that is not known, or has not as many arguments.
void engine::reject(arguments request, const verb* known, peer& who, flat_buffer& out) {
    if (who.administrative && (known == nullptr || !known->traits.for_administration)) {
        refuse_for_place(who, out);
        return;
    }
    if (known != nullptr) {
        ++counted(*known).rejected;
        if (known->name == "EXEC") {
            abort_transaction(who);
        }
    }
    auto why = advised(find_command(request).error(), request, who);
    if (known != nullptr && known->name == "EXEC") {
        why.code = "EXECABORT";
        why.text.insert(0, "Transaction discarded because of: ");
    }
    refuse(why, who, out);
}

// The memory of a value on its way goes back, also when the request ends with an exception.
void engine::clear_scratch() noexcept {
    bytes_moved_ = scratch_.size();
    scratch_.clear();
    if (scratch_.capacity() > limits_.scratch_bytes_kept) {
        // Move assignment from an empty string keeps the capacity in libstdc++ 12; swapping does
        // not.
        std::pmr::string(scratch_.get_allocator()).swap(scratch_);
    }
}

void engine::refuse_stranger(const verb& row, turn& t) {
    ++counted(row).rejected;
    t.out.failure({error::kind::refused, "NOAUTH", "Authentication required."});
}

// The client has no place beside the others, and asks for more than administration.
void engine::refuse_for_place(peer& who, flat_buffer& out) const {
    who.leaving = true;
    out.append(too_many_clients);
    if (on_refused) {
        on_refused();
    }
}

void engine::refuse(const error& why, peer& who, flat_buffer& out) {
    who.spoilt = who.queueing;
    reply_writer(out, who.speaks, flat_buffer::size_most, &count.errors).failure(why);
}

// Reads a request whose number of arguments is right, and carries it out.
void engine::dispatch(const verb& row, arguments request, turn& t) {
    const auto parsed = row.parse(request);
    if (!parsed) {
        ++counted(row).rejected;
        t.out.failure(advised(parsed.error(), request, t.who));
        return;
    }
    ++counted(row).calls;
    ++count.commands_processed;
    std::visit([&](const auto& each) { run(each, t); }, *parsed);
}

// Keeps a request for EXEC, or refuses it.
void engine::queue(const verb& row, arguments request, turn& t) {
    if (t.who.queue.size() >= limits_.queued_requests_max) {
        ++counted(row).rejected;
        refuse(
            refusal(
                "transaction of more requests than the limit of " +
                std::to_string(limits_.queued_requests_max) + " (--max-queued-requests)"),
            t.who,
            t.bytes);
        return;
    }
    std::uint64_t bytes = t.who.queue.bytes();
    for (const auto each : request) {
        bytes += each.size() + sizeof(std::size_t);
    }
    if (bytes > limits_.request_bytes_max()) {
        ++counted(row).rejected;
        refuse(
            over_limit("transaction", bytes, limits_.request_bytes_max(), "--max-request"),
            t.who,
            t.bytes);
        return;
    }
    if (row.traits.has_subcommands) {
        const auto parsed = row.parse(request);
        if (!parsed) {
            ++counted(row).rejected;
            refuse(advised(parsed.error(), request, t.who), t.who, t.bytes);
            return;
        }
    }
    if (!t.who.spoilt) {
        t.who.queue.add(request, limits_.request_bytes_max());
    }
    t.out.status("QUEUED");
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
    const auto queue = t.who.queue.take();
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
    const transaction_cleanup cleanup{*this};
    bool whole = true;
    queue.for_each([&](arguments request) {
        // All are executed, whether or not there is room for the reply; but a value for which there
        // is none is not copied, and so neither taken out of the store.
        const auto before = t.bytes.size();
        try {
            dispatch(*find_verb(request[0]), request, t);
        } catch (const reply_too_long&) {
            whole = false;
            t.out.refuse_values();
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
    expect_all(request.keys);
    for (const auto key : request.keys) {
        if (t.who.watching.contains(key)) {
            continue;
        }
        // In this order: when memory fails in between, `forget_watches` still finds what was added.
        const auto added = t.who.watching.try_emplace(
            std::pmr::string(key, &t.who.memory),
            peer::watched_key{db_.get(key, t.now).has_value()});
        watches_.add(added.first->second.at, added.first->first, t.who);
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
    who.queue.take();
    forget_watches(who);
}

void engine::forget_watches(peer& who) noexcept {
    who.outdated = false;
    if (who.watching.empty()) {
        return;
    }
    for (auto& [key, each] : who.watching) {
        watches_.remove(each.at);
    }
    auto& all = who.watching;
    all = peer::watched_keys(0, all.hash_function(), all.key_eq(), all.get_allocator());
}

// What expired or was evicted has changed too, and nobody was told.
bool engine::watched_are_there(const peer& who, time_point now) {
    return std::ranges::all_of(who.watching, [&](const auto& each) {
        const auto& [key, then] = each;
        return !then.existed || db_.get(key, now).has_value();
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
    // In this order: when memory fails in between, `remove` still finds what was added.
    t.who.waits_for.emplace(request.key, &t.who.memory);
    waits_.add(t.who.waiting, *t.who.waits_for, t.who);
    wait(t.who, std::chrono::milliseconds(request.milliseconds));
}

// 0, and more than a century: without end.
void engine::wait(peer& who, std::chrono::milliseconds span) const {
    constexpr std::chrono::milliseconds century = std::chrono::hours(24 * 36'525);
    who.late = false;
    who.waits_until = std::chrono::steady_clock::time_point::max();
    if (on_wait && span > span.zero() && span < century) {
        on_wait(who, span);
    }
}

bool engine::resume(peer& who, flat_buffer& out, time_point now) {
    who.woken = false;
    return who.login ? answer_late(who, out, now) : answer_waiting(who, out, now);
}

bool engine::answer_waiting(peer& who, flat_buffer& out, time_point now) {
    const auto found = db_.find(*who.waits_for, now);
    if (!found && !who.late) {
        waits_.add(who.waiting, *who.waits_for, who);  // the key was written, and is gone again
        return false;
    }
    auto t = begin(who, out, now);
    reply_within_limit(t, [&] { reply_value(found, t); });
    stop_waiting(who);
    return true;
}

std::optional<std::chrono::steady_clock::time_point> engine::wake_late(
    std::chrono::steady_clock::time_point now) {
    constexpr auto never = std::chrono::steady_clock::time_point::max();
    auto next = never;
    for (auto* each = first_peer_; each != nullptr; each = each->next) {
        if (!each->parked()) {
            continue;
        }
        if (each->waits_until <= now) {
            each->late = true;
            each->rouse();
        } else {
            next = std::min(next, each->waits_until);
        }
    }
    return next == never ? std::nullopt : std::optional(next);
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
        waits_.remove(who.waiting);
        who.waits_for.reset();
    }
}

// A key was written. That a watched one is gone is seen at EXEC. A client is notified once: EXEC
// forgets what it watches, and a client that continues to wait registers again.
void engine::changed(std::string_view key) {
    watches_.take_all(key, [](peer& who) { who.outdated = true; });
    waits_.take_all(key, [](peer& who) { who.rouse(); });
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

// Asks before a request takes many steps. The other clients wait for a transaction as a whole, so
// all of its requests draw on one budget: returns false, and replies why, if that is spent.
// Requests that take few steps do not ask, and are executed.
bool engine::may_take_steps(turn& t) const {
    if (!t.in_transaction || !steps_.is_spent()) {
        return true;
    }
    t.out.failure(refusal(
        "transaction has taken its limit of " + std::to_string(limits_.request_steps_max) +
        " steps (--max-steps); send this command outside of MULTI"));
    return false;
}

// Asks before a value is copied that the request does not carry. Returns false, and replies why, if
// the value is large and the transaction has spent its steps.
bool engine::may_copy(std::size_t bytes, turn& t) {
    return may_work(bytes / 64, t);
}

// Takes `steps` from the budget. If they are many and the transaction has spent its budget, replies
// with an error, takes none and returns false.
bool engine::may_work(std::uint64_t steps, turn& t) {
    constexpr std::uint64_t few_steps_max = 1'024;
    if (steps > few_steps_max && !may_take_steps(t)) {
        return false;
    }
    steps_.take(steps);
    return true;
}

// Asks before a transaction deletes or replaces a large entry: its pages go back to the system one
// by one.
bool engine::may_free(const store::entry& each, turn& t) {
    constexpr std::size_t small_bytes_max = 64 * KiB;
    return each.memory <= small_bytes_max || may_take_steps(t);
}

// The same for the entry of `key`, if there is one.
bool engine::may_free(std::string_view key, turn& t) {
    if (!t.in_transaction || !steps_.is_spent()) {
        return true;
    }
    const auto found = db_.find(key, t.now);
    return !found || may_free(*found, t);
}

// Asks before a request looks for the keys that it names, if these are many.
bool engine::may_look_for(std::size_t keys, turn& t) {
    constexpr std::size_t few_keys_max = 100;
    return keys <= few_keys_max || may_take_steps(t);
}

// Stores a value; when it is refused, replies why. A deadline that has come deletes.
bool engine::write(std::string_view key, std::string_view value, time_point deadline, turn& t) {
    if (!fits(key, value.size(), t)) {
        return false;
    }
    if (deadline <= t.now) {
        db_.erase(key, t.now);
        return true;
    }
    if (!db_.put(key, value, t.now, deadline)) {
        refuse_for_memory(t);
        return false;
    }
    changed(key);
    return true;
}

void engine::refuse_for_memory(turn& t) const {
    t.out.failure(
        {error::kind::refused, "OOM", "command not allowed when used memory > 'maxmemory'."});
    if (on_write_refused) {
        on_write_refused();
    }
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
