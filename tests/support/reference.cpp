#include "support/reference.hpp"

#include "support/trace.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>

namespace butterdb::test {

namespace {

constexpr std::string_view wrong_password =
    "WRONGPASS invalid username-password pair or user is disabled.";

bool is_plain(std::string_view value) {
    for (const std::string_view word :
         {"OK", "NOT_FOUND", "DELETED", "NOT_STORED", "+PONG", "+OK", "LIST", "INVALID", "ERROR"}) {
        if (value == word || value.starts_with(std::string(word) + ' ')) {
            return false;
        }
    }
    const bool printable = std::ranges::all_of(value, [](char c) {
        return (c >= ' ' && c <= '~') || static_cast<unsigned char>(c) >= 0x80;
    });
    return printable && !value.empty() && !value.starts_with('"') && !value.starts_with(' ') &&
           !value.ends_with(' ');
}

std::string quoted(std::string_view value) {
    std::string text = "\"";
    for (const char c : value) {
        const auto at = std::string_view("\"\\\n\r\t\a\b").find(c);
        if (c != '\0' && at != std::string_view::npos) {
            text += '\\';
            text += "\"\\nrtab"[at];
        } else if ((c >= 0 && c < ' ') || c == 0x7f) {
            char escaped[5];
            std::snprintf(escaped, sizeof escaped, "\\x%02x", static_cast<unsigned char>(c));
            text += escaped;
        } else {
            text += c;
        }
    }
    return text + '"';
}

std::optional<std::int64_t> number(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool whole = fault == std::errc{} && end == text.data() + text.size();
    return whole && std::to_string(value) == text ? std::optional(value) : std::nullopt;
}

std::string upper(std::string text) {
    std::ranges::transform(text, text.begin(), [](char c) {
        return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    });
    return text;
}

}  // namespace

void reply_cursor::take(std::string_view exactly) {
    if (!next_is(exactly)) {
        throw wrong_reply(
            "expected '" + shown(exactly) + "', the server said '" + shown(rest_) + "'");
    }
    rest_.remove_prefix(exactly.size());
}

void reply_cursor::take_line(std::string_view prefix) {
    const auto end = rest_.find('\n');
    if (!next_is(prefix) || end == rest_.npos) {
        throw wrong_reply(
            "expected a line '" + shown(prefix) + "...', the server said '" + shown(rest_) + "'");
    }
    rest_.remove_prefix(end + 1);
}

// One request and the replies that it may get.
struct reference::exchange {
    client& who;
    const words& request;
    reply_cursor& said;
    time_point now;
    bool in_transaction = false;

    const std::string& word(std::size_t i) const { return request.at(i); }
    bool is_text() const { return who.speaks == dialect::text; }

    void status(const std::string& text) {
        said.take(is_text() ? text + "\n" : "+" + text + "\r\n");
    }
    void integer(std::int64_t value) {
        const auto digits = std::to_string(value);
        said.take(is_text() ? digits + "\n" : ":" + digits + "\r\n");
    }
    void bulk(std::string_view value) {
        if (is_text()) {
            said.take((is_plain(value) ? std::string(value) : quoted(value)) + "\n");
        } else {
            said.take(std::string("$").append(std::to_string(value.size())).append("\r\n"));
            said.take(value);
            said.take("\r\n");
        }
    }
    void null(const std::string& resp2 = "$-1\r\n") {
        said.take(is_text() ? "NOT_FOUND\n" : who.speaks == dialect::resp3 ? "_\r\n" : resp2);
    }
    void array(std::size_t count) {
        const auto digits = std::to_string(count);
        said.take(is_text() ? "LIST " + digits + "\n" : "*" + digits + "\r\n");
    }
    std::string refusal(std::string_view text) const {
        return (is_text() ? "ERROR " : "-") + std::string(text);
    }
    void refused(std::string_view text) { said.take_line(refusal(text)); }
    void invalid(std::string_view text) {
        said.take_line((is_text() ? "INVALID " : "-ERR ") + std::string(text));
    }
    void optional(const entry* found) {
        if (found != nullptr) {
            bulk(found->value);
        } else {
            null();
        }
    }
};

const reference::entry* reference::find(const std::string& key, time_point now) const {
    const auto found = entries_.find(key);
    return found == entries_.end() || found->second.deadline <= now ? nullptr : &found->second;
}

void reference::adopt(const std::string& key, std::optional<entry> actual) {
    const auto found = entries_.find(key);
    const auto known = found == entries_.end() ? std::nullopt : std::optional(found->second);
    ++(known == actual ? histories_[key].doubts : histories_[key].changes);
    if (actual) {
        entries_[key] = std::move(*actual);
    } else {
        entries_.erase(key);
    }
}

std::vector<std::string> reference::expired(time_point now) const {
    std::vector<std::string> keys;
    for (const auto& [key, each] : entries_) {
        if (each.deadline <= now) {
            keys.push_back(key);
        }
    }
    return keys;
}

std::map<std::string, reference::entry> reference::entries(time_point now) const {
    auto there = entries_;
    std::erase_if(there, [&](const auto& each) { return each.second.deadline <= now; });
    return there;
}

reference::handler reference::find_handler(const std::string& verb) {
    static const std::map<std::string, handler> handlers{
        {"PUT", &reference::put},           {"SET", &reference::put},
        {"GET", &reference::get},           {"GETDEL", &reference::getdel},
        {"GETTTL", &reference::getttl},     {"DEL", &reference::del},
        {"EXISTS", &reference::exists},     {"MGET", &reference::mget},
        {"MSET", &reference::mset},         {"APPEND", &reference::append},
        {"STRLEN", &reference::strlen},     {"INCRBY", &reference::incrby},
        {"RENAME", &reference::rename},     {"PEXPIRE", &reference::pexpire},
        {"PTTL", &reference::pttl},         {"PERSIST", &reference::persist},
        {"FLUSHALL", &reference::flushall}, {"MULTI", &reference::multi},
        {"EXEC", &reference::exec},         {"DISCARD", &reference::discard},
        {"WATCH", &reference::watch},       {"UNWATCH", &reference::unwatch},
        {"WAITKEY", &reference::waitkey},   {"PING", &reference::ping},
        {"ECHO", &reference::echo},         {"AUTH", &reference::auth},
        {"RESET", &reference::reset},       {"QUIT", &reference::quit},
        {"EXIT", &reference::exit},
    };
    const auto found = handlers.find(upper(verb));
    return found == handlers.end() ? nullptr : found->second;
}

void reference::answer(client& who, const words& request, reply_cursor& said, time_point now) {
    exchange e{who, request, said, now};
    const auto verb = upper(request.at(0));
    const auto act = find_handler(verb);
    const auto is_one_of = [&](std::initializer_list<std::string_view> verbs) {
        return std::ranges::find(verbs, verb) != verbs.end();
    };
    if (act == nullptr) {
        who.spoilt = who.queueing;
        e.invalid("unknown command");
    } else if (verb == "GET" && request.size() != 2) {
        who.spoilt = who.queueing;
        e.invalid("wrong number of arguments");
    } else if (who.stranger && !is_one_of({"AUTH", "RESET", "QUIT", "EXIT"})) {
        e.refused("NOAUTH Authentication required.");
    } else if (
        who.queueing &&
        !is_one_of({"EXEC", "DISCARD", "MULTI", "WATCH", "RESET", "QUIT", "EXIT"})) {
        // In bytes, a transaction is limited by what the server takes for it.
        const bool is_full = who.queue.size() >= limits_.queued_requests_max;
        if (is_full || said.next_is(e.refusal("ERR transaction of"))) {
            who.spoilt = true;
            e.refused("ERR transaction of");
        } else {
            if (!who.spoilt) {
                who.queue.push_back(request);
            }
            e.status("QUEUED");
        }
    } else {
        (this->*act)(e);
    }
}

void reference::refuse(client& who, std::string_view reason, reply_cursor& said) {
    who.spoilt = who.queueing;
    said.take_line((who.speaks == dialect::text ? "INVALID " : "-ERR ") + std::string(reason));
}

// What commands share.

bool reference::fits(exchange& e, const std::string& key, std::size_t value_bytes) const {
    if (key.size() > limits_.key_bytes_max) {
        e.refused("ERR key of ");
        return false;
    }
    if (value_bytes > limits_.value_bytes_max) {
        e.refused("ERR value of ");
        return false;
    }
    return true;
}

// False: refused, and the reply has been read.
bool reference::store(exchange& e, const std::string& key, std::string value, time_point deadline) {
    if (!fits(e, key, value.size())) {
        return false;
    }
    if (deadline <= e.now) {
        remove(key, e.now);
        return true;
    }
    if (memory_may_fail && e.said.next_is(e.refusal("OOM "))) {
        e.refused("OOM ");
        return false;
    }
    entries_[key] = {std::move(value), deadline};
    ++histories_[key].changes;
    return true;
}

bool reference::remove(const std::string& key, time_point now) {
    const bool was_there = find(key, now) != nullptr;
    entries_.erase(key);
    histories_[key].changes += was_there ? 1U : 0U;
    return was_there;
}

void reference::leave_transaction(client& who) {
    who.queueing = who.spoilt = false;
    who.queue.clear();
    who.watched.clear();
}

// Values.

void reference::put(exchange& e) {
    const auto* const found = find(e.word(1), e.now);
    const auto present = found == nullptr ? std::nullopt : std::optional(*found);
    bool met = true;
    bool gives_old = false;
    auto deadline = no_deadline;
    for (std::size_t i = 3; i < e.request.size(); ++i) {
        const auto option = upper(e.word(i));
        if (option == "NX" || option == "XX") {
            met = present.has_value() == (option == "XX");
        } else if (option == "IFEQ") {
            ++i;
            met = present && present->value == e.word(i);
        } else if (option == "GET") {
            gives_old = true;
        } else if (option == "PX") {
            deadline = e.now + std::chrono::milliseconds(*number(e.word(++i)));
        } else if (option == "KEEPTTL") {
            deadline = present ? present->deadline : no_deadline;
        } else {
            e.invalid("syntax error");
            return;
        }
    }
    if (met && !store(e, e.word(1), e.word(2), deadline)) {
        return;
    }
    if (gives_old) {
        e.optional(present ? &*present : nullptr);
    } else if (met) {
        e.status("OK");
    } else if (e.is_text()) {
        e.status("NOT_STORED");
    } else {
        e.null();
    }
}

void reference::get(exchange& e) {
    e.optional(find(e.word(1), e.now));
}

void reference::getdel(exchange& e) {
    e.optional(find(e.word(1), e.now));
    remove(e.word(1), e.now);
}

void reference::getttl(exchange& e) {
    const auto* const found = find(e.word(1), e.now);
    if (found == nullptr) {
        e.null("*-1\r\n");
        return;
    }
    e.array(2);
    e.bulk(found->value);
    e.integer(found->deadline == no_deadline ? -1 : (found->deadline - e.now).count());
}

void reference::del(exchange& e) {
    std::int64_t deleted = 0;
    for (std::size_t i = 1; i < e.request.size(); ++i) {
        deleted += remove(e.word(i), e.now) ? 1 : 0;
    }
    if (e.is_text() && e.request.size() == 2) {
        e.status(deleted == 1 ? "DELETED" : "NOT_FOUND");
    } else {
        e.integer(deleted);
    }
}

void reference::exists(exchange& e) {
    e.integer(std::count_if(e.request.begin() + 1, e.request.end(), [&](const auto& key) {
        return find(key, e.now) != nullptr;
    }));
}

void reference::mget(exchange& e) {
    e.array(e.request.size() - 1);
    for (std::size_t i = 1; i < e.request.size(); ++i) {
        e.optional(find(e.word(i), e.now));
    }
}

void reference::mset(exchange& e) {
    for (std::size_t i = 1; i < e.request.size(); i += 2) {
        if (!fits(e, e.word(i), e.word(i + 1).size())) {
            return;
        }
    }
    for (std::size_t i = 1; i < e.request.size(); i += 2) {
        store(e, e.word(i), e.word(i + 1), no_deadline);
    }
    e.status("OK");
}

void reference::append(exchange& e) {
    const auto* const found = find(e.word(1), e.now);
    const auto deadline = found == nullptr ? no_deadline : found->deadline;
    const auto value = (found == nullptr ? std::string() : found->value) + e.word(2);
    if (store(e, e.word(1), value, deadline)) {
        e.integer(static_cast<std::int64_t>(value.size()));
    }
}

void reference::strlen(exchange& e) {
    const auto* const found = find(e.word(1), e.now);
    e.integer(found == nullptr ? 0 : static_cast<std::int64_t>(found->value.size()));
}

void reference::incrby(exchange& e) {
    const auto* const found = find(e.word(1), e.now);
    const auto deadline = found == nullptr ? no_deadline : found->deadline;
    const auto present = found == nullptr ? std::optional<std::int64_t>(0) : number(found->value);
    std::int64_t sum = 0;
    if (!present) {
        e.refused("ERR value is not an integer or out of range");
    } else if (__builtin_add_overflow(*present, *number(e.word(2)), &sum)) {
        e.refused("ERR increment or decrement would overflow");
    } else if (store(e, e.word(1), std::to_string(sum), deadline)) {
        e.integer(sum);
    }
}

// Keys and deadlines.

void reference::rename(exchange& e) {
    const auto* const found = find(e.word(1), e.now);
    if (found == nullptr) {
        e.refused("ERR no such key");
    } else if (e.word(1) == e.word(2)) {
        e.status("OK");
    } else {
        const auto moved = *found;
        if (store(e, e.word(2), moved.value, moved.deadline)) {
            remove(e.word(1), e.now);
            e.status("OK");
        }
    }
}

void reference::pexpire(exchange& e) {
    const auto* const found = find(e.word(1), e.now);
    const auto deadline = e.now + std::chrono::milliseconds(*number(e.word(2)));
    if (found == nullptr) {
        e.integer(0);
    } else if (store(e, e.word(1), std::string(found->value), deadline)) {
        e.integer(1);
    }
}

void reference::pttl(exchange& e) {
    const auto* const found = find(e.word(1), e.now);
    e.integer(
        found == nullptr                 ? -2
        : found->deadline == no_deadline ? -1
                                         : (found->deadline - e.now).count());
}

void reference::persist(exchange& e) {
    const auto* const found = find(e.word(1), e.now);
    if (found == nullptr || found->deadline == no_deadline) {
        e.integer(0);
    } else if (store(e, e.word(1), std::string(found->value), no_deadline)) {
        e.integer(1);
    }
}

void reference::flushall(exchange& e) {
    for (const auto& each : entries(e.now)) {
        ++histories_[each.first].changes;
    }
    entries_.clear();
    e.status("OK");
}

// Together.

void reference::multi(exchange& e) {
    if (e.who.queueing) {
        e.refused("ERR MULTI calls can not be nested");
        return;
    }
    e.who.queueing = true;
    e.status("OK");
}

void reference::exec(exchange& e) {
    if (!e.who.queueing) {
        e.refused("ERR EXEC without MULTI");
        return;
    }
    const bool spoilt = e.who.spoilt;
    bool outdated = false;
    bool doubtful = false;
    for (const auto& [key, then] : e.who.watched) {
        const auto& now = histories_[key];
        const bool has_gone = then.existed && find(key, e.now) == nullptr;
        outdated = outdated || now.changes != then.changes || has_gone;
        doubtful = doubtful || now.doubts != then.doubts;
    }
    const bool is_null =
        e.said.next_is("NOT_FOUND") || e.said.next_is("*-1") || e.said.next_is("_");
    outdated = outdated || (doubtful && is_null);
    const auto queue = e.who.queue;
    leave_transaction(e.who);
    if (spoilt) {
        e.refused("EXECABORT Transaction discarded because of previous errors.");
    } else if (outdated) {
        e.null("*-1\r\n");
    } else {
        e.array(queue.size());
        for (const auto& request : queue) {
            exchange each{e.who, request, e.said, e.now, true};
            (this->*find_handler(request.at(0)))(each);
        }
    }
}

void reference::discard(exchange& e) {
    if (!e.who.queueing) {
        e.refused("ERR DISCARD without MULTI");
        return;
    }
    leave_transaction(e.who);
    e.status("OK");
}

void reference::watch(exchange& e) {
    if (e.who.queueing) {
        e.refused("ERR WATCH inside MULTI is not allowed");
        return;
    }
    if (e.who.watched.size() + e.request.size() - 1 > limits_.watched_keys_max) {
        e.refused("ERR too many watched keys");
        return;
    }
    for (std::size_t i = 1; i < e.request.size(); ++i) {
        if (!fits(e, e.word(i), 0)) {
            return;
        }
    }
    for (std::size_t i = 1; i < e.request.size(); ++i) {
        const auto& key = e.word(i);
        auto then = histories_[key];
        then.existed = find(key, e.now) != nullptr;
        e.who.watched.try_emplace(key, then);
    }
    e.status("OK");
}

void reference::unwatch(exchange& e) {
    e.who.watched.clear();
    e.status("OK");
}

// Asked when the answer is there, not when the wait began.
void reference::waitkey(exchange& e) {
    if (!fits(e, e.word(1), 0)) {
        return;
    }
    const auto* const found = find(e.word(1), e.now);
    const bool late = uptime - waits_since >= std::chrono::milliseconds(*number(e.word(2)));
    if (found == nullptr && !e.in_transaction && !may_give_up_waiting && !late) {
        throw wrong_reply("a client that waits for a key was answered too early");
    }
    e.optional(found);
}

// The connection.

void reference::ping(exchange& e) {
    e.said.take("+PONG\r\n");
}

void reference::echo(exchange& e) {
    e.bulk(e.word(1));
}

void reference::auth(exchange& e) {
    if (password.empty()) {
        e.refused("ERR AUTH <password> called without any password configured");
    } else if (e.word(1) == password) {
        e.who.stranger = false;
        e.who.passwords_failed = 0;
        e.said.take("+OK\r\n");
    } else {
        e.who.leaving = ++e.who.passwords_failed >= limits_.passwords_max;
        e.refused(wrong_password);
    }
}

void reference::reset(exchange& e) {
    leave_transaction(e.who);
    e.who.stranger = !password.empty();
    e.who.speaks = e.who.speaks == dialect::resp3 ? dialect::resp2 : e.who.speaks;
    e.status("RESET");
}

void reference::quit(exchange& e) {
    e.who.leaving = true;
    e.said.take("+OK\r\n");
}

void reference::exit(exchange& e) {
    e.who.leaving = true;
    if (!e.is_text()) {
        e.status("OK");
    }
}

}  // namespace butterdb::test
