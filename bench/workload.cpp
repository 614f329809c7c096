#include "workload.hpp"

#include <algorithm>

namespace butterdb::bench {

namespace {

constexpr std::uint64_t letters = 26;

// Letters that number a key: 26^13 < 2^63. A longer key goes on with letters that follow from it.
constexpr std::size_t numbering_letters = 13;

std::uint64_t fnv1a(std::string_view bytes, std::uint64_t hash) noexcept {
    for (const char c : bytes) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
    }
    return hash;
}

// Letters that follow from `state`: a splitmix64 step per letter.
char next_letter(std::uint64_t& state) noexcept {
    state += 0x9e3779b97f4a7c15U;
    auto mixed = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9U;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebU;
    return static_cast<char>('a' + (mixed ^ (mixed >> 31)) % letters);
}

}  // namespace

std::uint64_t keys_possible(std::size_t key_bytes) noexcept {
    std::uint64_t keys = 1;
    for (std::size_t i = 0; i < std::min(key_bytes, numbering_letters); ++i) {
        keys *= letters;
    }
    return keys;
}

request_stream::request_stream(const workload& work, std::uint64_t client_number)
    : work_(work), keys_(work.keys != 0 ? work.keys : keys_possible(work.key_bytes)) {
    std::seed_seq seeds{
        work.seed & 0xffffffffU, work.seed >> 32, client_number & 0xffffffffU, client_number >> 32};
    random_.seed(seeds);
}

operation request_stream::append_next(flat_buffer& out) {
    const auto dice = random_() % 100;
    const auto number = random_() % keys_;
    auto what = operation::del;
    if (dice < work_.put_percent) {
        what = operation::put;
    } else if (dice < work_.put_percent + work_.get_percent) {
        what = operation::get;
    }
    key_of(number, key_);
    constexpr std::string_view verbs[] = {"PUT ", "GET ", "DEL "};
    out.append(verbs[static_cast<std::size_t>(what)]);
    out.append(key_);
    if (what == operation::put) {
        value_.resize(work_.value_bytes);
        auto state = random_();
        for (std::size_t i = 0; i < value_.size() / 2; ++i) {
            value_[i] = next_letter(state);
        }
        seal(key_, value_);
        out.append(' ');
        out.append(value_);
    }
    out.append('\n');
    awaited_.push_back({what, number});
    return what;
}

outcome request_stream::judge(std::string_view reply) {
    if (next_ == awaited_.size()) {
        return outcome::wrong;
    }
    const auto [what, number] = awaited_[next_++];
    if (next_ == awaited_.size()) {
        awaited_.clear();
        next_ = 0;
    }
    if (what == operation::put) {
        return reply == "OK\n" ? outcome::right : outcome::wrong;
    }
    if (what == operation::del) {
        return reply == "DELETED\n" || reply == "NOT_FOUND\n" ? outcome::right : outcome::wrong;
    }
    if (reply == "NOT_FOUND\n") {
        return outcome::miss;
    }
    reply.remove_suffix(1);
    key_of(number, key_);
    expected_ = reply;
    seal(key_, expected_);
    return expected_ == reply && !reply.empty() ? outcome::hit : outcome::wrong;
}

void request_stream::key_of(std::uint64_t number, std::string& key) const {
    key.resize(work_.key_bytes);
    auto rest = number;
    auto state = number;
    for (std::size_t i = 0; i < key.size(); ++i) {
        if (i < numbering_letters) {
            key[i] = static_cast<char>('a' + rest % letters);
            rest /= letters;
        } else {
            key[i] = next_letter(state);
        }
    }
}

// Writes the second half of a value, which follows from the key and the first half.
void request_stream::seal(std::string_view key, std::string& value) const {
    const auto half = value.size() / 2;
    auto state = fnv1a(std::string_view(value).substr(0, half), fnv1a(key, 14695981039346656037U));
    for (auto i = half; i < value.size(); ++i) {
        value[i] = next_letter(state);
    }
}

}  // namespace butterdb::bench
