#include <butterdb/base/glob.hpp>

#include <algorithm>
#include <array>
#include <bitset>

namespace butterdb {

namespace {

constexpr std::size_t byte_values = 256;

using byte_set = std::bitset<byte_values>;

std::size_t value_of(char byte) noexcept {
    return static_cast<unsigned char>(byte);
}

int signed_value_of(char byte) noexcept {
    const auto value = static_cast<int>(value_of(byte));
    return value < 128 ? value : value - 256;
}

// Reads a class; `at` is after its `[`, and then after its end. A class that is not closed ends
// with the pattern. Ranges compare bytes as signed, as Redis does.
byte_set read_class(std::string_view pattern, std::size_t& at) noexcept {
    const bool inverted = at < pattern.size() && pattern[at] == '^';
    at += inverted ? 1U : 0U;
    byte_set found;
    for (bool closed = false; at < pattern.size() && !closed;) {
        const auto left = pattern.size() - at;
        if (pattern[at] == '\\' && left >= 2) {
            found.set(value_of(pattern[at + 1]));
            at += 2;
        } else if (pattern[at] == ']') {
            closed = true;
            ++at;
        } else if (left >= 3 && pattern[at + 1] == '-') {
            const auto [low, high] = std::minmax(  // by value
                {signed_value_of(pattern[at]), signed_value_of(pattern[at + 2])});
            for (int each = low; each <= high; ++each) {
                found.set(value_of(static_cast<char>(each)));
            }
            at += 3;
        } else {
            found.set(value_of(pattern[at]));
            ++at;
        }
    }
    return inverted ? ~found : found;
}

// Reads the token at `at`, which is no `*`; `at` is then after the token. Calls accept(byte) for
// each byte that matches it.
template <typename Accept>
void read_token(std::string_view pattern, std::size_t& at, Accept accept) {
    const char first = pattern[at++];
    if (first != '[' && first != '?') {
        const bool is_escape = first == '\\' && at < pattern.size();
        accept(value_of(is_escape ? pattern[at++] : first));
        return;
    }
    const auto accepted = first == '?' ? ~byte_set() : read_class(pattern, at);
    for (std::size_t byte = 0; byte < accepted.size(); ++byte) {
        if (accepted[byte]) {
            accept(byte);
        }
    }
}

std::size_t count_tokens(std::string_view pattern) noexcept {
    std::size_t tokens = 0;
    for (std::size_t at = 0; at < pattern.size();) {
        if (pattern[at] == '*') {
            ++at;
        } else {
            read_token(pattern, at, [](std::size_t) {});
            ++tokens;
        }
    }
    return tokens;
}

}  // namespace

glob::glob(std::string_view pattern, step_budget& steps)
    : tokens_(count_tokens(pattern)),
      words_(tokens_ / word_bits + 1),
      entered_(tokens_ == 0 ? 0 : byte_values * words_),
      kept_(words_),
      reached_(words_) {
    const auto bit_of = [](std::size_t state) { return word{1} << (state % word_bits); };
    std::uint64_t accepted = 0;
    std::size_t state = 0;
    for (std::size_t at = 0; at < pattern.size();) {
        if (pattern[at] == '*') {
            kept_[state / word_bits] |= bit_of(state);
            has_star_ = true;
            ++at;
            continue;
        }
        ++state;
        read_token(pattern, at, [&](std::size_t byte) {
            entered_[byte * words_ + state / word_bits] |= bit_of(state);
            ++accepted;
        });
    }
    steps.take_bytes(entered_.size() * sizeof(word));
    steps.take(pattern.size() + accepted);
}

bool glob::matches(std::string_view text, step_budget& steps) {
    steps.take(1);
    if (text.size() < tokens_ || (!has_star_ && text.size() > tokens_)) {
        return false;
    }
    const auto [matched, bytes_read] = words_ == 1 ? read_in_one_word(text) : read(text);
    steps.take(bytes_read * words_);
    return matched;
}

// As most patterns are: the states stay in a register.
glob::reading glob::read_in_one_word(std::string_view text) const noexcept {
    const auto* const entered = entered_.data();
    const auto kept = kept_.front();
    const auto last = word{1} << tokens_;
    const auto matches_all = kept & last;  // the last state, if a `*` follows it
    word reached = 1;
    std::size_t at = 0;
    for (; at < text.size() && reached != 0 && (reached & matches_all) == 0; ++at) {
        reached = (reached << 1 & entered[value_of(text[at])]) | (reached & kept);
    }
    return {(reached & last) != 0, at};
}

glob::reading glob::read(std::string_view text) noexcept {
    const auto last = word{1} << (tokens_ % word_bits);
    const auto matches_all = kept_.back() & last;
    std::ranges::fill(reached_, word{0});
    reached_.front() = 1;
    bool any = true;
    std::size_t at = 0;
    for (; at < text.size() && any && (reached_.back() & matches_all) == 0; ++at) {
        any = advance(text[at]);
    }
    return {(reached_.back() & last) != 0, at};
}

// Reads one byte of the text. Returns false if no state is left.
bool glob::advance(char byte) noexcept {
    const auto words = words_;
    const auto* const entered = entered_.data() + value_of(byte) * words;
    const auto* const kept = kept_.data();
    auto* const reached = reached_.data();
    word carry = 0;
    word any = 0;
    for (std::size_t i = 0; i < words; ++i) {
        const auto before = reached[i];
        const auto after = ((before << 1 | carry) & entered[i]) | (before & kept[i]);
        carry = before >> (word_bits - 1);
        any |= after;
        reached[i] = after;
    }
    return any != 0;
}

}  // namespace butterdb
