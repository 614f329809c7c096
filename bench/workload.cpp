#include "workload.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

namespace butterdb::bench {

namespace {

constexpr std::uint64_t letters = 26;

// Letters that number a key: 26^13 < 2^63. A longer key goes on with letters that follow from it.
constexpr std::size_t numbering_letters = 13;

constexpr std::size_t version_letters_max = 8;
constexpr unsigned version_letter_bits = 4;

// Writes letters from `a` to `p`, which follow from `state`.
void write_letters(char* at, std::size_t count, std::uint64_t state) noexcept {
    while (count > 0) {
        state = mix(state + 0x9e3779b97f4a7c15U);
        const auto eight = (state & 0x0f0f0f0f0f0f0f0fU) + 0x6161616161616161U;
        const auto part = std::min(count, sizeof eight);
        std::memcpy(at, &eight, part);
        at += part;
        count -= part;
    }
}

std::size_t version_letters_of(std::size_t value_bytes) noexcept {
    return std::min(version_letters_max, value_bytes / 2);
}

// As much of a version as a value of that size shows.
std::uint64_t shown(std::uint64_t version, std::size_t value_bytes) noexcept {
    return version &
           ((std::uint64_t{1} << (version_letter_bits * version_letters_of(value_bytes))) - 1);
}

std::uint64_t seal_of(std::uint64_t number, std::uint64_t shown_version) noexcept {
    return mix(number + mix(shown_version));
}

request_kind kind_of(request_kind::effect what, std::uint64_t weight) {
    request_kind kind;
    kind.what = what;
    kind.weight = weight;
    return kind;
}

}  // namespace

std::string request_kind::text() const {
    std::string text;
    for (const auto& word : words) {
        text.append(text.empty() ? "" : " ").append(word);
    }
    if (!text.empty()) {
        return text;
    }
    switch (what) {
        case effect::put:
            return new_key ? "PUT of a new key" : "PUT";
        case effect::get:
            return "GET";
        case effect::del:
            return "DEL";
        case effect::modify:
            return "GET and PUT";
        case effect::other:
            break;
    }
    return "";
}

std::size_t value_sizes::most() const noexcept {
    return std::ranges::max(ranges, {}, &range::most).most;
}

std::uint64_t keys_possible(std::size_t key_bytes) noexcept {
    std::uint64_t keys = 1;
    for (std::size_t i = 0; i < std::min(key_bytes, numbering_letters); ++i) {
        keys *= letters;
    }
    return keys;
}

bool set_named_mix(std::string_view name, workload& work) {
    using enum request_kind::effect;
    if (name.size() != 6 || !name.starts_with("ycsb-")) {
        return false;
    }
    auto fresh = kind_of(put, 5);
    fresh.new_key = true;
    auto scan = kind_of(other, 95);
    scan.words = {"MGET", "{keys}"};
    work.choice.what = key_choice::shape::zipf;
    switch (name.back()) {
        case 'a':
            work.kinds = {kind_of(get, 50), kind_of(put, 50)};
            return true;
        case 'b':
            work.kinds = {kind_of(get, 95), kind_of(put, 5)};
            return true;
        case 'c':
            work.kinds = {kind_of(get, 100)};
            return true;
        case 'd':
            work.kinds = {kind_of(get, 95), fresh};
            work.choice.what = key_choice::shape::latest;
            return true;
        case 'e':
            work.kinds = {scan, fresh};
            return true;
        case 'f':
            work.kinds = {kind_of(get, 50), kind_of(modify, 50)};
            return true;
        default:
            return false;
    }
}

std::size_t reply_bytes_max(const workload& work) noexcept {
    constexpr std::size_t header_bytes_max = 32;
    const auto values_bytes = (work.sizes.most() + header_bytes_max) * keys_fetched_max;
    return std::max(reply_bytes_max_default, values_bytes);
}

std::string objection(const workload& work) {
    constexpr std::size_t memcache_key_bytes_max = 250;
    if (work.spoken != dialect::memcache) {
        return {};
    }
    const bool has_templates =
        std::ranges::any_of(work.kinds, [](const auto& kind) { return !kind.words.empty(); });
    if (has_templates) {
        return "memcache has put, get and delete alone, and no commands to choose";
    }
    return work.key_bytes > memcache_key_bytes_max ? "memcache has keys of at most 250 bytes" : "";
}

// The sum over n of 1 / n^skew: exact up to a million, an integral from there on.
zipf::zipf(std::uint64_t items, double skew)
    : items_(static_cast<double>(items)), skew_(skew), alpha_(1 / (1 - skew)) {
    const auto exact = std::min<std::uint64_t>(items, 1'000'000);
    zeta_ = 0;
    for (std::uint64_t n = 1; n <= exact; ++n) {
        zeta_ += std::pow(static_cast<double>(n), -skew);
    }
    const auto from = static_cast<double>(exact);
    zeta_ += (std::pow(items_, 1 - skew) - std::pow(from, 1 - skew)) * alpha_;
    const double zeta_of_two = 1 + std::pow(2.0, -skew);
    eta_ = (1 - std::pow(2 / items_, 1 - skew)) / (1 - zeta_of_two / zeta_);
}

std::uint64_t zipf::draw(double share) const noexcept {
    const double scaled = share * zeta_;
    if (scaled < 1) {
        return 0;
    }
    if (scaled < 1 + std::pow(0.5, skew_)) {
        return items_ > 1 ? 1 : 0;
    }
    const auto rank = items_ * std::pow(eta_ * share - eta_ + 1, alpha_);
    return static_cast<std::uint64_t>(std::min(rank, items_ - 1));
}

request_plan::request_plan(const workload& work, std::uint64_t clients)
    : work_(work),
      clients_(clients),
      keys_(work.keys != 0 ? work.keys : keys_possible(work.key_bytes)) {
    for (const auto& kind : work_.kinds) {
        weights_ += kind.weight;
    }
    const auto shape = work_.choice.what;
    if (shape == key_choice::shape::zipf || shape == key_choice::shape::latest) {
        skewed_.emplace(keys_, work_.choice.skew);
    }
}

request_stream::request_stream(const request_plan& plan, std::uint64_t client_number)
    : plan_(&plan),
      client_(client_number),
      keys_((plan.keys() + plan.clients() - 1 - client_number) / plan.clients()),
      versions_(plan.work().first_version),
      random_(plan.work().seed, client_number) {
    if (plan.work().verify) {
        known_.assign(keys_, unknown);
    }
}

unsigned request_stream::append_next(flat_buffer& out) {
    const auto& kind = choose_kind();
    const auto number = kind.new_key ? keys_++ * plan_->clients() + client_ : choose_key();
    const auto spoken = plan_->work().spoken;
    if (plan_->work().verify && kind.new_key) {
        known_.push_back(none);
    }
    if (!kind.words.empty()) {
        expect(kind.what, number);
        append_template(kind, number, out);
        return 1;
    }
    write_key(number);
    switch (kind.what) {
        case request_kind::effect::put:
            append_put_of(number, out);
            return 1;
        case request_kind::effect::del:
            expect(kind.what, number);
            append_delete(spoken, key_, out);
            return 1;
        case request_kind::effect::modify:
            expect(request_kind::effect::get, number);
            append_get(spoken, key_, out);
            append_put_of(number, out);
            return 2;
        case request_kind::effect::get:
        case request_kind::effect::other:
            break;
    }
    expect(request_kind::effect::get, number);
    append_get(spoken, key_, out);
    return 1;
}

const request_kind& request_stream::choose_kind() {
    const auto& kinds = plan_->work().kinds;
    if (kinds.size() == 1) {
        return kinds.front();
    }
    auto dice = random_.below(plan_->weights());
    for (const auto& kind : kinds) {
        if (dice < kind.weight) {
            return kind;
        }
        dice -= kind.weight;
    }
    return kinds.back();
}

// With `verify`, and where the order counts, one of the client's own keys.
std::uint64_t request_stream::choose_key() {
    const auto& choice = plan_->work().choice;
    const auto clients = plan_->clients();
    const auto own = [&](std::uint64_t index) { return index * clients + client_; };
    const auto from_all = [&](std::uint64_t number) {
        return plan_->work().verify ? own(std::min(number / clients, keys_ - 1)) : number;
    };
    switch (choice.what) {
        case key_choice::shape::uniform:
            break;
        case key_choice::shape::zipf:
            return from_all(plan_->skewed()->draw(random_.share()));
        case key_choice::shape::latest: {
            const auto back = plan_->skewed()->draw(random_.share()) / clients;
            return own(keys_ - 1 - std::min(back, keys_ - 1));
        }
        case key_choice::shape::sequential:
            return own(in_sequence_++ % keys_);
        case key_choice::shape::hot: {
            const auto all = static_cast<double>(plan_->keys());
            const auto hot =
                std::max<std::uint64_t>(static_cast<std::uint64_t>(all * choice.hot_share), 1);
            const auto cold = plan_->keys() - hot;
            const bool is_hot = random_.share() < choice.hot_weight || cold == 0;
            return from_all(is_hot ? random_.below(hot) : hot + random_.below(cold));
        }
    }
    return plan_->work().verify ? own(random_.below(keys_)) : random_.below(plan_->keys());
}

void request_stream::append_put_of(std::uint64_t number, flat_buffer& out) {
    expect(request_kind::effect::put, number);
    append_put(plan_->work().spoken, key_, value_, out);
}

// Notes what is asked, and makes up the value of what stores one.
void request_stream::expect(request_kind::effect what, std::uint64_t number) {
    auto expected = unknown;
    if (what == request_kind::effect::put || what == request_kind::effect::other) {
        expected = plan_->work().verify ? ++versions_ : random_.next() & 0xffffffffU;
        write_value(number, expected);
    }
    if (plan_->work().verify) {
        auto& now = known(number);
        switch (what) {
            case request_kind::effect::put:
                now = expected;
                break;
            case request_kind::effect::del:
                expected = std::exchange(now, none);
                break;
            case request_kind::effect::other:
                now = unknown;
                break;
            case request_kind::effect::get:
            case request_kind::effect::modify:
                expected = now;
                break;
        }
    }
    awaited_.push_back({what, number, expected});
}

request_stream::version& request_stream::known(std::uint64_t number) {
    return known_[number / plan_->clients()];
}

void request_stream::append_template(
    const request_kind& kind, std::uint64_t number, flat_buffer& out) {
    words_.clear();
    filled_.clear();
    filled_.reserve(kind.words.size() + keys_fetched_max);  // the views into it stay
    for (const auto& word : kind.words) {
        if (word == "{keys}") {
            const auto count = 1 + random_.below(keys_fetched_max);
            for (std::uint64_t i = 0; i < count; ++i) {
                write_key((number + i) % plan_->keys());
                words_.push_back(filled_.emplace_back(key_));
            }
            continue;
        }
        write_key(number);
        words_.push_back(filled(word, filled_.emplace_back()));
    }
    append_command(plan_->work().spoken, words_, out);
}

// A word with the key and the value in it.
std::string_view request_stream::filled(std::string_view word, std::string& room) const {
    constexpr std::string_view key_mark = "{key}";
    constexpr std::string_view value_mark = "{value}";
    while (!word.empty()) {
        if (word.starts_with(key_mark)) {
            room += key_;
            word.remove_prefix(key_mark.size());
        } else if (word.starts_with(value_mark)) {
            room += value_;
            word.remove_prefix(value_mark.size());
        } else {
            room += word.front();
            word.remove_prefix(1);
        }
    }
    return room;
}

void request_stream::write_key(std::uint64_t number) {
    key_.resize(plan_->work().key_bytes);
    const auto numbering = std::min(key_.size(), numbering_letters);
    auto rest = number;
    for (std::size_t i = 0; i < numbering; ++i) {
        key_[i] = static_cast<char>('a' + rest % letters);
        rest /= letters;
    }
    write_letters(key_.data() + numbering, key_.size() - numbering, number);
}

void request_stream::write_value(std::uint64_t number, version which) {
    const auto& ranges = plan_->work().sizes.ranges;
    const auto* range = &ranges.front();
    if (ranges.size() > 1) {
        std::uint64_t weights = 0;
        for (const auto& each : ranges) {
            weights += each.weight;
        }
        auto dice = random_.below(weights);
        for (const auto& each : ranges) {
            range = &each;
            if (dice < each.weight) {
                break;
            }
            dice -= each.weight;
        }
    }
    const auto spread = range->most - range->least;
    value_.resize(range->least + (spread > 0 ? random_.below(spread + 1) : 0));
    const auto version_letters = version_letters_of(value_.size());
    auto rest = which;
    for (std::size_t i = 0; i < version_letters; ++i) {
        value_[i] = static_cast<char>('a' + (rest & 15));
        rest >>= version_letter_bits;
    }
    write_letters(
        value_.data() + version_letters,
        value_.size() - version_letters,
        seal_of(number, shown(which, value_.size())));
}

bool request_stream::is_value_of(std::uint64_t number, std::string_view value, version& which) {
    if (value.empty()) {
        return false;
    }
    const auto version_letters = version_letters_of(value.size());
    which = 0;
    for (std::size_t i = version_letters; i-- > 0;) {
        const auto letter = static_cast<unsigned char>(value[i] - 'a');
        if (letter > 15) {
            return false;
        }
        which = which << version_letter_bits | letter;
    }
    const auto sealed = value.substr(version_letters);
    value_.resize(sealed.size());
    write_letters(value_.data(), value_.size(), seal_of(number, which));
    return value_ == sealed;
}

outcome request_stream::judge(const reply& got) {
    judged_get_ = false;
    if (next_ == awaited_.size()) {
        return outcome::wrong;
    }
    const auto request = awaited_[next_++];
    if (next_ == awaited_.size()) {
        awaited_.clear();
        next_ = 0;
    }
    judged_get_ = request.what == request_kind::effect::get;
    if (!plan_->work().judge) {
        return outcome::right;
    }
    if (got.what == reply::kind::failure) {
        forget(request.key_number);
        return outcome::failure;
    }
    switch (request.what) {
        case request_kind::effect::put:
            return got.what == reply::kind::done ? outcome::right : outcome::wrong;
        case request_kind::effect::del: {
            if (got.what == reply::kind::value) {
                return outcome::wrong;
            }
            const bool was_there = got.what == reply::kind::done && got.text != "0";
            const bool lost = !was_there && request.expected != unknown && request.expected != none;
            return lost ? outcome::lost : outcome::right;
        }
        case request_kind::effect::get:
            return judge_value(request, got);
        case request_kind::effect::modify:
        case request_kind::effect::other:
            return outcome::right;
    }
    return outcome::wrong;
}

// What a key holds is not known any more, nor to the requests about it that are under way.
void request_stream::forget(std::uint64_t number) {
    if (!plan_->work().verify) {
        return;
    }
    known(number) = unknown;
    for (auto i = next_; i < awaited_.size(); ++i) {
        if (awaited_[i].key_number == number) {
            awaited_[i].expected = unknown;
        }
    }
}

outcome request_stream::judge_value(const asked& request, const reply& got) {
    const bool is_known = request.expected != unknown;
    if (got.what == reply::kind::missing) {
        return is_known && request.expected != none ? outcome::lost : outcome::miss;
    }
    version which = none;
    if (!is_value_of(request.key_number, got.text, which)) {
        return outcome::wrong;
    }
    if (!is_known) {
        return outcome::hit;
    }
    return request.expected != none && which == shown(request.expected, got.text.size())
               ? outcome::hit
               : outcome::lost;
}

}  // namespace butterdb::bench
