// Commands about keys and their deadlines.

#include "replies.hpp"
#include <butterdb/base/glob.hpp>
#include <butterdb/engine/engine.hpp>

#include <algorithm>

namespace butterdb {

namespace {

// Keys that KEYS looks at in one call of scan: it goes on until the end.
constexpr std::size_t keys_step = 1024;

// Half a second and more counts as a second, as in Redis.
std::int64_t rounded_seconds(std::int64_t milliseconds) {
    return milliseconds / 1000 + (milliseconds % 1000 >= 500 ? 1 : 0);
}

}  // namespace

// Has all keys of a request fetched. Many of them end the client's turn.
void engine::expect_all(arguments keys) {
    steps_.take(keys.size() * steps_per_entry);
    db_.expect_all(keys);
}

// Deletes all keys or, when that is refused, none; then the reply says why.
std::optional<std::size_t> engine::erase_all(arguments keys, turn& t) {
    const auto may_erase = [&](std::string_view key) { return may_free(key, t); };
    if (!may_look_for(keys.size(), t) || !std::ranges::all_of(keys, may_erase)) {
        return std::nullopt;
    }
    expect_all(keys);
    std::size_t erased = 0;
    for (const auto key : keys) {
        erased += db_.erase(key, t.now) ? 1U : 0U;
    }
    return erased;
}

void engine::reply_how_many(arguments keys, turn& t) {
    if (!may_look_for(keys.size(), t)) {
        return;
    }
    expect_all(keys);
    std::int64_t found = 0;
    for (const auto key : keys) {
        found += look_up(key, t) ? 1 : 0;
    }
    t.out.integer(found);
}

void engine::run(const command::del& request, turn& t) {
    if (const auto erased = erase_all(request.keys, t)) {
        t.out.deleted(*erased, request.keys.size());
    }
}

void engine::run(const command::unlink& request, turn& t) {
    if (const auto erased = erase_all(request.keys, t)) {
        t.out.integer(static_cast<std::int64_t>(*erased));
    }
}

void engine::run(const command::exists& request, turn& t) {
    reply_how_many(request.keys, t);
}

void engine::run(const command::touch& request, turn& t) {
    reply_how_many(request.keys, t);
}

void engine::run(const command::type& request, turn& t) {
    t.out.status(look_up(request.key, t) ? "string" : "none");
}

// Copies an entry with its deadline over another key. False: refused, and told why.
bool engine::move_value(std::string_view from, std::string_view to, turn& t) {
    const auto found = db_.find(from, t.now);
    if (!may_copy(found->value.size(), t)) {
        return false;
    }
    scratch_.assign(found->value);
    const auto deadline = found->deadline;
    return may_free(to, t) && write(to, scratch_, deadline, t);
}

void engine::run(const command::rename& request, turn& t) {
    if (!db_.get(request.from, t.now)) {
        t.out.failure(refusal("no such key"));
        return;
    }
    const bool same = request.from == request.to;
    if (request.if_absent && (same || db_.get(request.to, t.now))) {
        t.out.integer(0);
        return;
    }
    if (!same) {
        if (!move_value(request.from, request.to, t)) {
            return;
        }
        db_.erase(request.from, t.now);
    }
    request.if_absent ? t.out.integer(1) : t.out.status("OK");
}

void engine::run(const command::copy& request, turn& t) {
    if (request.from == request.to) {
        t.out.failure(refusal("source and destination objects are the same"));
        return;
    }
    const bool possible =
        look_up(request.from, t) && (request.replace || !db_.get(request.to, t.now));
    if (!possible) {
        t.out.integer(0);
    } else if (move_value(request.from, request.to, t)) {
        t.out.integer(1);
    }
}

void engine::run(const command::randomkey&, turn& t) {
    if (!may_take_steps(t)) {
        return;
    }
    ++keys_drawn_;
    const std::string_view number(reinterpret_cast<const char*>(&keys_drawn_), sizeof keys_drawn_);
    const auto chosen = db_.random_entry(secret_hash(number, db_.secret()), t.now, steps_);
    if (chosen) {
        t.out.bulk(chosen->key);
    } else {
        t.out.null();
    }
}

bool engine::is_short_pattern(std::string_view pattern, turn& t) const {
    const bool is_short = pattern.size() <= limits_.pattern_bytes_max;
    if (!is_short) {
        t.out.failure(refusal(
            "pattern of " + std::to_string(pattern.size()) + " bytes is over the limit of " +
            std::to_string(limits_.pattern_bytes_max) + " bytes"));
    }
    return is_short;
}

// Walks twice, first to count: nothing is copied, and nothing changes between. To look at all keys
// is what KEYS is for: only what it takes beyond the usual for each of them is limited.
void engine::run(const command::keys& request, turn& t) {
    if (!is_short_pattern(request.pattern, t) || !may_take_steps(t)) {
        return;
    }
    glob pattern(request.pattern, steps_);
    std::size_t count_looked_at = 0;
    std::size_t count_found = 0;
    std::uint64_t cursor = 0;
    do {
        step_budget some(limits_.request_steps_max);
        const auto count_match = [&](const store::entry& each) {
            ++count_looked_at;
            count_found += pattern.matches(each.key, some) ? 1U : 0U;
        };
        cursor = db_.scan(cursor, keys_step, t.now, count_match, some);
        steps_.take(some.taken());
        if (steps_.taken() > limits_.request_steps_max + count_looked_at * limits_.keys_steps) {
            t.out.failure(refusal(
                "this pattern takes too many steps for keys this long (--max-steps); use SCAN, or "
                "a shorter pattern"));
            return;
        }
    } while (cursor != 0);
    t.out.array(count_found);
    do {
        step_budget unlimited;
        const auto reply = [&](const store::entry& each) {
            if (pattern.matches(each.key, unlimited)) {
                t.out.bulk(each.key);
            }
        };
        cursor = db_.scan(cursor, keys_step, t.now, reply, unlimited);
    } while (cursor != 0);
}

void engine::run(const command::scan& request, turn& t) {
    if (!is_short_pattern(request.pattern, t) || !may_take_steps(t)) {
        return;
    }
    glob pattern(request.pattern, steps_);
    std::pmr::vector<std::string_view> found(&t.who.memory);
    const auto keys_max = std::min<std::uint64_t>(request.count, limits_.scan_keys_max);
    const auto visit = [&](const store::entry& each) {
        if (request.strings && pattern.matches(each.key, steps_)) {
            found.push_back(each.key);
            steps_.take(each.key.size());  // quoted in the reply
        }
    };
    const auto next = db_.scan(request.cursor, keys_max, t.now, visit, steps_);
    t.out.array(2);
    t.out.bulk(std::to_string(next));
    t.out.array(found.size());
    for (const auto key : found) {
        t.out.bulk(key);
    }
}

// An absent key has no elements; an entry has a string, which has none either.
void engine::run(const command::scan_elements& request, turn& t) {
    if (look_up(request.key, t)) {
        t.out.failure(
            {error::kind::refused,
             "WRONGTYPE",
             "Operation against a key holding the wrong kind of value"});
        return;
    }
    t.out.array(2);
    t.out.bulk("0");
    t.out.array(0);
}

void engine::run(const command::delprefix& request, turn& t) {
    if (!may_take_steps(t)) {
        return;
    }
    std::int64_t deleted = 0;
    const auto keys_max = std::min<std::uint64_t>(request.count, limits_.scan_keys_max);
    const auto is_wanted = [&](const store::entry& each) {
        const bool wanted = each.key.starts_with(request.prefix);
        steps_.take_bytes(std::min(each.key.size(), request.prefix.size()));
        deleted += wanted ? 1 : 0;
        return wanted;
    };
    const auto next = db_.scan_and_erase(request.cursor, keys_max, t.now, is_wanted, steps_);
    t.out.array(2);
    t.out.bulk(std::to_string(next));
    t.out.integer(deleted);
}

void engine::run(const command::dbsize&, turn& t) {
    t.out.integer(static_cast<std::int64_t>(db_.size()));
}

void engine::run(const command::flushall&, turn& t) {
    db_.clear();
    t.out.status("OK");
}

// Time.

// Of an entry that is there; one whose deadline has come goes. False: refused, and told why.
bool engine::change_deadline(std::string_view key, time_point deadline, turn& t) {
    if (deadline <= t.now) {
        if (!may_free(key, t)) {
            return false;
        }
        db_.erase(key, t.now);
        return true;
    }
    if (!db_.set_deadline(key, deadline, t.now)) {
        refuse_for_memory(t);
        return false;
    }
    changed(key);
    return true;
}

void engine::run(const command::expire& request, turn& t) {
    using command::expire;
    const auto found = db_.find(request.key, t.now);
    if (!found) {
        t.out.integer(0);
        return;
    }
    const auto deadline = deadline_of(request.deadline, no_deadline, t.now);
    const bool has_deadline = found->deadline != no_deadline;
    const bool refused = ((request.when & expire::nx) != 0 && has_deadline) ||
                         ((request.when & expire::xx) != 0 && !has_deadline) ||
                         ((request.when & expire::gt) != 0 && deadline <= found->deadline) ||
                         ((request.when & expire::lt) != 0 && deadline >= found->deadline);
    if (refused) {
        t.out.integer(0);
        return;
    }
    if (change_deadline(request.key, deadline, t)) {
        t.out.integer(1);
    }
}

void engine::run(const command::persist& request, turn& t) {
    const auto found = db_.find(request.key, t.now);
    if (!found || found->deadline == no_deadline) {
        t.out.integer(0);
        return;
    }
    if (change_deadline(request.key, no_deadline, t)) {
        t.out.integer(1);
    }
}

void engine::run(const command::ttl& request, turn& t) {
    const auto found = look_up(request.key, t);
    if (!found || found->deadline == no_deadline) {
        t.out.integer(found ? -1 : -2);
        return;
    }
    const auto milliseconds = request.absolute ? found->deadline.time_since_epoch().count()
                                               : (found->deadline - t.now).count();
    t.out.integer(request.milliseconds ? milliseconds : rounded_seconds(milliseconds));
}

void engine::run(const command::time&, turn& t) const {
    constexpr std::int64_t second = 1'000'000;  // in microseconds
    const precise_time_point now = wall_clock ? wall_clock() : t.now;
    const auto microseconds = now.time_since_epoch().count();
    t.out.array(2);
    t.out.bulk(std::to_string(microseconds / second));
    t.out.bulk(std::to_string(microseconds % second));
}

}  // namespace butterdb
