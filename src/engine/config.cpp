// CONFIG: the settings of a running server.

#include "info.hpp"
#include "replies.hpp"
#include <butterdb/base/glob.hpp>
#include <butterdb/base/settings.hpp>
#include <butterdb/base/text.hpp>
#include <butterdb/engine/engine.hpp>

#include <algorithm>
#include <string>
#include <vector>

namespace butterdb {

namespace {

// Sizes first: a client may send a name as long as a value.
bool is_same_name(std::string_view name, std::string_view lower_case) {
    return name.size() == lower_case.size() && to_lower(name) == lower_case;
}

bool is_named(std::string_view name, std::string_view own, std::string_view of_redis) {
    return is_same_name(name, own) || (!of_redis.empty() && is_same_name(name, of_redis));
}

const setting* find_limit(std::string_view name) {
    const auto is_meant = [&](const setting& each) {
        return is_named(name, each.name, each.redis_name);
    };
    const auto found = std::ranges::find_if(settings(), is_meant);
    return found == settings().end() ? nullptr : &*found;
}

std::size_t bytes_of(arguments patterns) {
    std::size_t bytes = 0;
    for (const auto each : patterns) {
        bytes += each.size();
    }
    return bytes;
}

error cannot_set(std::string_view name, std::string_view why) {
    return refusal(
        "CONFIG SET failed (possibly related to argument '" + printable(name) + "') - " +
        std::string(why));
}

error duplicate_setting(std::string_view name) {
    return cannot_set(name, "duplicate parameter");
}

error unknown_setting(std::string_view name) {
    return refusal(
        "Unknown option or number of arguments for CONFIG SET - '" + printable(name) +
        "'; CONFIG GET * lists all");
}

// Sets a limit to what `value` says, or gives why it cannot be that.
std::optional<error> change(const setting& which, std::string_view value, limits& of) {
    if (which.when == setting::change::at_start) {
        return cannot_set(which.name, "can't set immutable config: it is an option of the start");
    }
    const auto read = which.read(value);
    if (!read) {
        return cannot_set(which.name, read.error().text);
    }
    which.set(of, *read);
    if (of.clients_max > of.clients_possible) {
        return cannot_set(
            which.name,
            "the limit of open files allows " + std::to_string(of.clients_possible) +
                " (ulimit -n)");
    }
    return std::nullopt;
}

// Why a setting cannot be `word`, or nothing.
std::optional<error> objection(const word_setting& which, std::string_view word) {
    if (which.words.empty()) {
        return cannot_set(which.name, "can't set immutable config");
    }
    if (std::ranges::find(which.words, word) != which.words.end()) {
        return std::nullopt;
    }
    std::string words;
    for (const auto each : which.words) {
        words.append(words.empty() ? "it is one of " : ", ").append(each);
    }
    return cannot_set(which.name, words);
}

}  // namespace

// What tools for Redis ask for, and the settings that are no numbers.
void engine::add_word_settings() {
    const auto constant = [](const char* text) { return [text] { return std::string(text); }; };
    add_setting({"appendonly", "", {}, constant("no"), nullptr});
    add_setting({"databases", "", {}, constant("1"), nullptr});
    add_setting({"port", "", {}, [this] { return std::to_string(facts.tcp_port); }, nullptr});
    add_setting({"save", "", {}, constant(""), nullptr});
    add_setting(
        {"eviction",
         "maxmemory-policy",
         {"none", "clock", "noeviction"},
         [this] { return std::string(policy_name(db_)); },
         [this](std::string_view word) {
             db_.set_eviction(word == "clock" ? eviction::clock : eviction::none);
         }});
}

const word_setting* engine::find_word(std::string_view name) const {
    const auto found = std::ranges::find_if(word_settings_, [&](const word_setting& each) {
        return is_named(name, each.name, each.redis_name);
    });
    return found == word_settings_.end() ? nullptr : &*found;
}

void engine::run(const command::config& request, turn& t) {
    using action = command::config::action;
    if (!may_take_steps(t)) {
        return;
    }
    steps_.take(10 * steps_per_description);
    switch (request.what) {
        case action::get:
            get_settings(request.rest, t);
            break;
        case action::set:
            change_settings(request.rest, t);
            break;
        case action::resetstat:
            count = {
                .connected_clients = count.connected_clients,
                .administrative_clients = count.administrative_clients};
            std::ranges::fill(count_by_verb_, verb_counters());
            db_.reset_counters();
            t.out.status("OK");
            break;
    }
}

void engine::get_settings(arguments patterns, turn& t) {
    const auto bytes = bytes_of(patterns);
    if (bytes > limits_.pattern_bytes_max) {
        t.out.failure(refusal(
            "patterns of " + std::to_string(bytes) + " bytes are over the limit of " +
            std::to_string(limits_.pattern_bytes_max) + " bytes"));
        return;
    }
    struct named_value {
        std::string_view name;
        std::string value;
        bool is_wanted = false;
    };
    std::vector<named_value> all;
    const auto add = [&](std::string_view name, std::string value) {
        if (!name.empty()) {
            all.push_back({name, std::move(value)});
        }
    };
    for (const auto& each : settings()) {
        add(each.name, std::to_string(each.get(limits_)));
        if (each.redis_name != each.name) {
            add(each.redis_name, std::to_string(each.get(limits_)));
        }
    }
    for (const auto& each : word_settings_) {
        add(each.name, each.show());
        add(each.redis_name, each.show());
    }
    for (const auto pattern : patterns) {
        if (pattern.empty()) {
            continue;  // matches no name, and the bound of bytes does not bound how many there are
        }
        glob lower(to_lower(pattern), steps_);
        for (auto& each : all) {
            each.is_wanted = each.is_wanted || lower.matches(each.name, steps_);
        }
    }
    t.out.map(static_cast<std::size_t>(std::ranges::count_if(all, &named_value::is_wanted)));
    for (const auto& each : all) {
        if (each.is_wanted) {
            t.out.bulk(each.name);
            t.out.bulk(each.value);
        }
    }
}

// Finds what the names of all pairs mean, each once, under whichever of its names.
result<std::vector<engine::any_setting>> engine::find_settings(arguments pairs) const {
    std::vector<any_setting> found;
    for (std::size_t i = 0; i < pairs.size(); i += 2) {
        const any_setting named{find_limit(pairs[i]), find_word(pairs[i])};
        if (named == any_setting()) {
            return unknown_setting(pairs[i]);
        }
        if (std::ranges::find(found, named) != found.end()) {
            return duplicate_setting(pairs[i]);
        }
        found.push_back(named);
    }
    return found;
}

// All of the pairs or none.
void engine::change_settings(arguments pairs, turn& t) {
    const auto named = find_settings(pairs);
    if (!named) {
        t.out.failure(named.error());
        return;
    }
    auto changed = limits_;
    std::vector<std::pair<const word_setting*, std::string>> words;
    for (std::size_t i = 0; i < named->size(); ++i) {
        const auto [limit, word] = (*named)[i];
        const auto value = pairs[2 * i + 1];
        std::optional<error> why;
        if (limit != nullptr) {
            why = change(*limit, value, changed);
        } else {
            words.emplace_back(word, to_lower(value));
            why = objection(*word, words.back().second);
        }
        if (why) {
            t.out.failure(*why);
            return;
        }
    }
    limits_ = changed;
    for (const auto& [which, word] : words) {
        which->change(word);
    }
    db_.set_ceiling(limits_.memory_bytes_max);
    ++settings_changed_;
    if (on_settings) {
        on_settings();
    }
    t.out.status("OK");
}

}  // namespace butterdb
