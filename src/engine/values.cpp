// Commands that read and write values.

#include "replies.hpp"
#include <butterdb/base/number.hpp>
#include <butterdb/engine/engine.hpp>

#include <algorithm>
#include <cmath>

namespace butterdb {

namespace {

using condition = command::set::condition;

bool is_met(const command::set& request, const std::optional<store::entry>& present) {
    switch (request.when) {
        case condition::none:
            return true;
        case condition::if_absent:
            return !present;
        case condition::if_there:
            return present.has_value();
        case condition::if_equal:
            return present && present->value == request.expected;
    }
    return false;
}

// What a command keeps that writes an entry anew.
time_point deadline_of(const std::optional<store::entry>& present) {
    return present ? present->deadline : no_deadline;
}

std::string_view value_of(const std::optional<store::entry>& present) {
    return present ? present->value : std::string_view{};
}

constexpr const char* no_integer = "value is not an integer or out of range";

error no_float() {
    return refusal("value is not a valid float");
}

// Replies when the old value is not asked for, or there is none.
void reply_to_set(const command::set& request, bool is_met, reply_writer& out) {
    using answer = command::set::answer;
    if (request.reply == answer::number) {
        out.integer(is_met ? 1 : 0);
    } else if (request.reply == answer::old_value) {
        out.null();
    } else if (is_met) {
        out.status("OK");
    } else {
        out.not_stored();
    }
}

}  // namespace

void engine::run(const command::set& request, turn& t) {
    using answer = command::set::answer;
    const bool plain = request.when == condition::none && request.reply == answer::ok &&
                       request.deadline.how != expiry::mode::keep;
    if (plain) {
        // This request is the most frequent but GET: only a transaction asks.
        const bool is_allowed = !t.in_transaction || may_free(request.key, t);
        if (is_allowed &&
            write(request.key, request.value, deadline_of(request.deadline, {}, t.now), t)) {
            t.out.status("OK");
        }
        return;
    }
    const auto present =
        request.reply == answer::old_value ? look_up(request.key, t) : db_.find(request.key, t.now);
    const auto kept = deadline_of(present);
    const bool was_there = present.has_value();
    const bool met = is_met(request, present);
    if (request.reply == answer::old_value && was_there) {
        if (!may_copy(present->value.size(), t)) {
            return;
        }
        t.out.expect_room(present->value);
        scratch_.assign(present->value);
    }
    const auto deadline = deadline_of(request.deadline, kept, t.now);
    if (met && !(may_free(request.key, t) && write(request.key, request.value, deadline, t))) {
        return;
    }
    if (request.reply == answer::old_value && was_there) {
        t.out.bulk(scratch_);
    } else {
        reply_to_set(request, met, t.out);
    }
}

void engine::run(const command::get& request, turn& t) {
    reply_value(look_up(request.key, t), t);
}

void engine::run(const command::getdel& request, turn& t) {
    const auto found = look_up(request.key, t);
    if (found && !may_free(*found, t)) {
        return;
    }
    reply_value(found, t);
    if (found) {
        db_.erase(request.key, t.now);
    }
}

void engine::run(const command::getex& request, turn& t) {
    using fault = command::getex::fault;
    const auto found = look_up(request.key, t);
    if (found && request.wrong != fault::none) {
        const auto* const why = request.wrong == fault::no_integer
                                    ? no_integer
                                    : "invalid expire time in 'getex' command";
        t.out.failure({error::kind::form, "ERR", why});
        return;
    }
    if (!found || request.deadline.how == expiry::mode::none) {
        reply_value(found, t);
        return;
    }
    const auto deadline = deadline_of(request.deadline, found->deadline, t.now);
    if (deadline <= t.now && !may_free(*found, t)) {
        return;
    }
    t.out.expect_room(found->value);
    if (deadline == found->deadline || deadline <= t.now) {
        t.out.bulk(found->value);
        if (deadline <= t.now) {
            db_.erase(request.key, t.now);
        }
    } else if (change_deadline(request.key, deadline, t)) {
        t.out.bulk(*db_.get(request.key, t.now));  // where it lies now
    }
}

void engine::run(const command::getttl& request, turn& t) {
    const auto found = look_up(request.key, t);
    if (!found) {
        t.out.null_array();
        return;
    }
    t.out.array(2);
    t.out.bulk(found->value);
    t.out.integer(found->deadline == no_deadline ? -1 : (found->deadline - t.now).count());
}

void engine::run(const command::mget& request, turn& t) {
    if (!may_look_for(request.keys.size(), t)) {
        return;
    }
    expect_all(request.keys);
    t.out.array(request.keys.size());
    for (const auto key : request.keys) {
        reply_value(look_up(key, t), t);
    }
}

void engine::run(const command::mset& request, turn& t) {
    const auto& pairs = request.pairs;
    if (!may_look_for(pairs.size() / 2, t)) {
        return;
    }
    for (std::size_t i = 0; i < pairs.size(); i += 2) {
        if (!may_free(pairs[i], t)) {
            return;
        }
    }
    steps_.take(pairs.size() * steps_per_entry);
    for (std::size_t i = 0; i < pairs.size(); i += 2) {
        if (!fits(pairs[i], pairs[i + 1].size(), t)) {
            return;
        }
        if (request.if_all_absent && db_.get(pairs[i], t.now)) {
            t.out.integer(0);
            return;
        }
    }
    for (std::size_t i = 0; i < pairs.size(); i += 2) {
        if (!write(pairs[i], pairs[i + 1], no_deadline, t)) {
            // Of an MSET, what stands before it is stored. An MSETNX knows how it was before.
            for (std::size_t done = 0; request.if_all_absent && done < i; done += 2) {
                db_.erase(pairs[done], t.now);
            }
            return;
        }
    }
    request.if_all_absent ? t.out.integer(1) : t.out.status("OK");
}

void engine::run(const command::append& request, turn& t) {
    const auto found = db_.find(request.key, t.now);
    const auto deadline = deadline_of(found);
    const auto old = value_of(found);
    if (!fits(request.key, old.size() + request.value.size(), t)) {
        return;
    }
    if (!may_copy(old.size(), t)) {
        return;
    }
    scratch_.reserve(old.size() + request.value.size());  // else it would grow to twice that
    scratch_.assign(old);
    scratch_.append(request.value);
    if (write(request.key, scratch_, deadline, t)) {
        t.out.integer(static_cast<std::int64_t>(scratch_.size()));
    }
}

void engine::run(const command::strlen& request, turn& t) {
    t.out.integer(static_cast<std::int64_t>(value_of(look_up(request.key, t)).size()));
}

// Negative places count from the end.
void engine::run(const command::getrange& request, turn& t) {
    const auto found = look_up(request.key, t);
    const auto size = static_cast<std::int64_t>(value_of(found).size());
    const auto place = [&](std::int64_t at) {
        return std::max<std::int64_t>(at < 0 ? at + size : at, 0);
    };
    const auto first = place(request.first);
    const auto last = std::min(place(request.last), size - 1);
    const bool backwards = request.first < 0 && request.last < 0 && request.first > request.last;
    if (size == 0 || backwards || first > last) {
        t.out.bulk({});
        return;
    }
    t.out.bulk(found->value.substr(
        static_cast<std::size_t>(first), static_cast<std::size_t>(last - first + 1)));
}

// Bytes between the end of the old value and the offset become NUL.
void engine::run(const command::setrange& request, turn& t) {
    const auto found = db_.find(request.key, t.now);
    const auto old_size = value_of(found).size();
    if (request.value.empty()) {
        t.out.integer(static_cast<std::int64_t>(old_size));
        return;
    }
    const auto offset = static_cast<std::uint64_t>(request.offset);
    const auto end = offset + request.value.size();  // no overflow: the offset has 63 bits
    if (!fits(request.key, end, t)) {
        return;
    }
    const auto deadline = deadline_of(found);
    if (!may_copy(std::max<std::size_t>(old_size, end), t)) {
        return;
    }
    scratch_.reserve(std::max<std::size_t>(old_size, end));
    scratch_.assign(value_of(found));
    scratch_.resize(std::max<std::size_t>(old_size, end));
    std::ranges::copy(request.value, scratch_.begin() + request.offset);
    if (write(request.key, scratch_, deadline, t)) {
        t.out.integer(static_cast<std::int64_t>(scratch_.size()));
    }
}

void engine::run(const command::incrby& request, turn& t) {
    const auto found = db_.find(request.key, t.now);
    const auto present = found ? parse_integer(found->value) : 0;
    if (!present) {
        t.out.failure(refusal(no_integer));
        return;
    }
    std::int64_t sum = 0;
    if (__builtin_add_overflow(*present, request.amount, &sum)) {
        t.out.failure(refusal("increment or decrement would overflow"));
        return;
    }
    if (write(request.key, std::to_string(sum), deadline_of(found), t)) {
        t.out.integer(sum);
    }
}

void engine::run(const command::incrbyfloat& request, turn& t) {
    const auto found = db_.find(request.key, t.now);
    if (!may_work(
            steps_to_parse_float(value_of(found)) + steps_to_parse_float(request.amount), t)) {
        return;
    }
    const auto present = found ? parse_float(found->value) : 0.0L;
    const auto amount = parse_float(request.amount);
    if (!present || !amount) {
        t.out.failure(no_float());
        return;
    }
    const auto sum = *present + *amount;
    if (!std::isfinite(sum)) {
        t.out.failure(refusal("increment would produce NaN or Infinity"));
        return;
    }
    if (!may_work(steps_to_format_float(sum), t)) {
        return;
    }
    const auto text = format_float(sum);
    if (write(request.key, text, deadline_of(found), t)) {
        t.out.bulk(text);
    }
}

}  // namespace butterdb
