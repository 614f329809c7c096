// Commands about connections.

#include "replies.hpp"
#include <butterdb/base/number.hpp>
#include <butterdb/base/text.hpp>
#include <butterdb/base/version.hpp>
#include <butterdb/engine/engine.hpp>

#include <algorithm>
#include <memory>
#include <utility>

namespace butterdb {

namespace {

std::int64_t seconds_since(time_point then, time_point now) {
    return std::chrono::duration_cast<std::chrono::seconds>(now - then).count();
}

std::string address_of(const peer& each) {
    return each.address ? each.address() : std::string();
}

error wrong_syntax() {
    return {error::kind::form, "ERR", "syntax error"};
}

error wrong_password() {
    return {
        error::kind::refused, "WRONGPASS", "invalid username-password pair or user is disabled."};
}

// A line of CLIENT LIST.
std::string describe(const peer& each, time_point now) {
    const auto queued = each.queueing ? std::to_string(each.queue.size()) : "-1";
    std::string line = "id=" + std::to_string(each.id);
    line.append(" addr=").append(address_of(each));
    line.append(" name=").append(each.name);
    line.append(" age=").append(std::to_string(seconds_since(each.connected, now)));
    line.append(" idle=").append(std::to_string(seconds_since(each.last_request, now)));
    line.append(" flags=").append(each.queueing ? "x" : "N");
    line.append(" db=0 sub=0 psub=0 multi=").append(queued);
    line.append(" watch=").append(std::to_string(each.watching.size()));
    line.append(" tot-mem=").append(std::to_string(each.memory.bytes_used()));
    line.append(" cmd=").append(to_lower(each.last_verb));
    line.append(" user=default lib-name=").append(each.library);
    line.append(" lib-ver=").append(each.library_version);
    line.append(" resp=").append(each.speaks == dialect::resp3 ? "3" : "2");
    return line + "\n";
}

// What CLIENT KILL and CLIENT LIST choose clients by.
struct client_filter {
    std::pmr::vector<std::int64_t> ids;  // in order; empty: all
    std::string_view address{};
    bool skip_me = true;
    bool wrong = false;

    bool chooses(const peer& each) const {
        const bool by_id =
            ids.empty() || std::ranges::binary_search(ids, static_cast<std::int64_t>(each.id));
        return !each.leaving && by_id && (address.empty() || address_of(each) == address);
    }
};

client_filter read_filter(arguments words, std::pmr::memory_resource& memory) {
    client_filter filter{std::pmr::vector<std::int64_t>(&memory)};
    for (std::size_t i = 0; i < words.size() && !filter.wrong; i += 2) {
        const bool more = i + 1 < words.size();
        if (more && equals_ignoring_case(words[i], "ID")) {
            for (; i + 1 < words.size(); ++i) {
                const auto id = parse_integer(words[i + 1]);
                if (!id) {
                    break;
                }
                filter.ids.push_back(*id);
            }
            --i;
            filter.wrong = filter.ids.empty();
        } else if (more && equals_ignoring_case(words[i], "ADDR")) {
            filter.address = words[i + 1];
        } else if (more && equals_ignoring_case(words[i], "SKIPME")) {
            filter.skip_me = equals_ignoring_case(words[i + 1], "YES");
        } else {
            filter.wrong = !more || !equals_ignoring_case(words[i], "TYPE") ||
                           !equals_ignoring_case(words[i + 1], "NORMAL");
        }
    }
    std::ranges::sort(filter.ids);
    return filter;
}

}  // namespace

// Names appear in lists of words. False: refused, and told why.
bool engine::is_clean_name(std::string_view what, std::string_view name, turn& t) const {
    const bool clean = std::ranges::all_of(name, [](char c) { return c >= '!' && c <= '~'; });
    if (!clean) {
        t.out.failure(
            refusal(std::string(what) + " cannot contain spaces, newlines or special characters."));
        return false;
    }
    if (name.size() > limits_.name_bytes_max) {
        t.out.failure(refusal(
            std::string(what) + " cannot have more than " + std::to_string(limits_.name_bytes_max) +
            " bytes"));
        return false;
    }
    return true;
}

void engine::run(const command::ping& request, turn& t) {
    if (request.has_message) {
        t.out.bulk(request.message);
    } else {
        t.out.resp_status("PONG");
    }
}

void engine::run(const command::echo& request, turn& t) {
    t.out.bulk(request.message);
}

void engine::run(const command::hello& request, turn& t) {
    const auto done = request.who ? authenticate(*request.who, t) : login::admitted;
    if (done == login::admitted) {
        greet(request.version, request.name, t);
    } else if (done == login::postponed) {
        auto& greeting = t.who.login->hello.emplace();
        greeting.version = request.version;
        if (request.name) {  // one byte more than allowed is enough to be refused
            greeting.name = request.name->substr(0, limits_.name_bytes_max + 1);
        }
    }
}

// Answers HELLO behind its AUTH.
void engine::greet(int protocol, std::optional<std::string_view> name, turn& t) {
    if (t.who.stranger) {
        t.out.failure(
            {error::kind::refused,
             "NOAUTH",
             "HELLO must be called with the client already authenticated, otherwise the HELLO "
             "<proto> AUTH <user> <pass> option can be used to authenticate the client and select "
             "the RESP protocol version at the same time"});
        return;
    }
    if (name) {
        if (!is_clean_name("Client names", *name, t)) {
            return;
        }
        t.who.name = *name;
    }
    if (protocol != 0) {
        t.who.speaks = protocol == 3 ? dialect::resp3 : dialect::resp2;
    } else if (t.who.speaks == dialect::text) {
        t.who.speaks = dialect::resp2;
    }
    t.out.speak(t.who.speaks);
    t.out.map(7);
    t.out.bulk("server");
    t.out.bulk("butterdb");
    t.out.bulk("version");
    t.out.bulk(version);
    t.out.bulk("proto");
    t.out.integer(t.who.speaks == dialect::resp3 ? 3 : 2);
    t.out.bulk("id");
    t.out.integer(static_cast<std::int64_t>(t.who.id));
    t.out.bulk("mode");
    t.out.bulk("standalone");
    t.out.bulk("role");
    t.out.bulk("master");
    t.out.bulk("modules");
    t.out.array(0);
}

void engine::run(const command::auth& request, turn& t) {
    if (!admits && !request.has_user) {
        t.out.failure(refusal(
            "AUTH <password> called without any password configured for the default user. Are you "
            "sure your configuration is correct?"));
    } else if (authenticate(request.who, t) == login::admitted) {
        t.out.resp_status("OK");
    }
}

// Judges an attempt. Replies when it is refused; when it is postponed, `answer_late` replies.
engine::login engine::authenticate(const command::credentials& who, turn& t) {
    const bool is_right =
        who.user == command::credentials::default_user && (!admits || admits(who.password));
    const bool is_paced = t.who.stranger && pace_password;
    auto delay = is_paced ? pace_password(t.who, is_right) : std::chrono::milliseconds(0);
    if (!is_right) {
        delay = std::max(delay, note_wrong_password(t.who));
    }
    if (delay.count() > 0 && !t.in_transaction) {
        t.who.login = std::make_unique<peer::postponed_login>();
        t.who.login->is_right = is_right;
        wait(t.who, delay);
        return login::postponed;
    }
    return conclude_login(is_right, t);
}

engine::login engine::conclude_login(bool is_right, turn& t) const {
    if (!is_right) {
        t.who.leaving = t.who.passwords_failed >= limits_.passwords_max;
        t.out.failure(wrong_password());
        return login::refused;
    }
    t.who.passwords_failed = 0;
    set_stranger(t.who, false);
    return login::admitted;
}

void engine::set_stranger(peer& who, bool stranger) {
    if (std::exchange(who.stranger, stranger) != stranger && who.login_changed) {
        who.login_changed();
    }
}

// Returns for how long the connection has to wait for its answer: longer each time. The last
// attempt closes it, and is answered immediately.
std::chrono::milliseconds engine::note_wrong_password(peer& who) {
    ++count.passwords_failed;
    const auto failed = ++who.passwords_failed;
    if (on_wrong_password) {
        on_wrong_password(who);
    }
    if (failed <= limits_.passwords_prompt || failed >= limits_.passwords_max) {
        return std::chrono::milliseconds(0);
    }
    const auto doublings = std::min(failed - limits_.passwords_prompt - 1, 20U);
    return limits_.password_delay * (1U << doublings);
}

// A client that gives up its wait gets no answer: it would have evaded the delay.
bool engine::answer_late(peer& who, flat_buffer& out, time_point now) {
    if (!who.late || who.leaving) {
        return false;
    }
    const auto attempt = std::exchange(who.login, nullptr);
    auto t = begin(who, out, now);
    if (conclude_login(attempt->is_right, t) == login::admitted) {
        if (attempt->hello) {
            greet(attempt->hello->version, attempt->hello->name, t);
        } else {
            t.out.resp_status("OK");
        }
    }
    return true;
}

void engine::run(const command::select&, turn& t) {
    t.out.status("OK");
}

void engine::run(const command::reset&, turn& t) {
    abort_transaction(t.who);
    set_stranger(t.who, static_cast<bool>(admits));
    t.who.exempt = false;
    t.who.name.clear();
    if (t.who.speaks == dialect::resp3) {
        t.who.speaks = dialect::resp2;
        t.out.speak(dialect::resp2);
    }
    t.out.status("RESET");
}

void engine::run(const command::client& request, turn& t) {
    using action = command::client::action;
    switch (request.what) {
        case action::id:
            t.out.integer(static_cast<std::int64_t>(t.who.id));
            break;
        case action::info:
            t.out.text(describe(t.who, t.now));
            break;
        case action::list:
            list_clients(request.rest, t);
            break;
        case action::setname:
            if (is_clean_name("Client names", request.rest[0], t)) {
                t.who.name = request.rest[0];
                t.out.status("OK");
            }
            break;
        case action::getname:
            if (t.who.name.empty()) {
                t.out.null();
            } else {
                t.out.bulk(t.who.name);
            }
            break;
        case action::setinfo:
            set_client_info(request.rest[0], request.rest[1], t);
            break;
        case action::kill:
            kill_clients(request.rest, t);
            break;
        case action::no_evict:
            set_no_evict(request.rest[0], t);
            break;
    }
}

void engine::set_no_evict(std::string_view word, turn& t) {
    const bool on = equals_ignoring_case(word, "ON");
    if (!on && !equals_ignoring_case(word, "OFF")) {
        t.out.failure(wrong_syntax());
        return;
    }
    t.who.exempt = on;
    t.out.status("OK");
}

void engine::set_client_info(std::string_view attribute, std::string_view value, turn& t) const {
    const bool is_name = equals_ignoring_case(attribute, "LIB-NAME");
    if (!is_name && !equals_ignoring_case(attribute, "LIB-VER")) {
        t.out.failure(refusal("Unrecognized option '" + printable(attribute) + "'"));
    } else if (is_clean_name(to_lower(attribute), value, t)) {
        (is_name ? t.who.library : t.who.library_version) = value;
        t.out.status("OK");
    }
}

void engine::list_clients(arguments words, turn& t) {
    if (!may_take_steps(t)) {
        return;
    }
    steps_.take(words.size() * steps_per_word);
    const auto filter = read_filter(words, t.who.memory);
    if (filter.wrong) {
        t.out.failure(wrong_syntax());
        return;
    }
    std::pmr::string lines(&t.who.memory);
    for (const auto* each = first_peer_; each != nullptr; each = each->next) {
        steps_.take(steps_per_client);
        if (filter.chooses(*each)) {
            steps_.take(steps_per_description);
            lines += describe(*each, t.now);
        }
    }
    t.out.text(lines);
}

// One's own connection ends behind the reply.
void engine::kill_clients(arguments words, turn& t) {
    if (!may_take_steps(t)) {
        return;
    }
    steps_.take(words.size() * steps_per_word);
    const bool by_address = words.size() == 1;
    auto filter = read_filter(by_address ? arguments() : words, t.who.memory);
    if (by_address) {
        filter.address = words[0];
        filter.skip_me = false;
    }
    if (filter.wrong) {
        t.out.failure(wrong_syntax());
        return;
    }
    std::int64_t killed = 0;
    for (auto* each = first_peer_; each != nullptr; each = each->next) {
        steps_.take(steps_per_client);
        const bool me = each == &t.who;
        if (!filter.chooses(*each) || (me && filter.skip_me)) {
            continue;
        }
        ++killed;
        each->leaving = true;
        if (!me && each->cut) {
            each->cut();
        }
    }
    if (!by_address) {
        t.out.integer(killed);
    } else if (killed > 0) {
        t.out.status("OK");
    } else {
        t.out.failure(refusal("No such client"));
    }
}

void engine::run(const command::quit&, turn& t) {
    t.who.leaving = true;
    t.out.resp_status("OK");
}

void engine::run(const command::exit&, turn& t) {
    t.who.leaving = true;
    t.out.farewell();
}

}  // namespace butterdb
