#include "fuzz/targets.hpp"
#include <butterdb/base/assert.hpp>
#include <butterdb/base/glob.hpp>
#include <butterdb/base/limits.hpp>
#include <butterdb/base/settings.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

namespace butterdb::test {

namespace {

// The pattern's first element, which is not `*`: whether it takes `c`. Moves behind it.
bool takes(std::string_view& pattern, char c) {
    const char first = pattern.front();
    pattern.remove_prefix(1);
    if (first == '?') {
        return true;
    }
    if (first == '\\' && !pattern.empty()) {
        const bool same = pattern.front() == c;
        pattern.remove_prefix(1);
        return same;
    }
    if (first != '[') {
        return first == c;
    }
    const bool inverted = pattern.starts_with('^');
    pattern.remove_prefix(inverted ? 1 : 0);
    bool met = false;
    while (!pattern.empty() && pattern.front() != ']') {
        if (pattern.front() == '\\' && pattern.size() >= 2) {
            met = met || pattern[1] == c;
            pattern.remove_prefix(2);
        } else if (pattern.size() >= 3 && pattern[1] == '-') {
            const auto low = std::min(pattern[0], pattern[2]);
            const auto high = std::max(pattern[0], pattern[2]);
            met = met || (low <= c && c <= high);
            pattern.remove_prefix(3);
        } else {
            met = met || pattern.front() == c;
            pattern.remove_prefix(1);
        }
    }
    pattern.remove_prefix(pattern.empty() ? 0 : 1);
    return met != inverted;
}

// Tries everything, each pair of places once.
class matcher {
public:
    static constexpr std::size_t bytes_max = 63;

    matcher(std::string_view pattern, std::string_view text) : pattern_(pattern), text_(text) {}

    bool matches(std::size_t p, std::size_t t) {
        auto& known = known_.at(p).at(t);
        if (known == answer::unknown) {
            known = find(p, t) ? answer::yes : answer::no;
        }
        return known == answer::yes;
    }

private:
    enum class answer : unsigned char { unknown, no, yes };

    bool find(std::size_t p, std::size_t t) {
        if (p == pattern_.size()) {
            return t == text_.size();
        }
        if (pattern_[p] == '*') {
            return matches(p + 1, t) || (t < text_.size() && matches(p, t + 1));
        }
        if (t == text_.size()) {
            return false;
        }
        auto rest = pattern_.substr(p);
        const bool taken = takes(rest, text_[t]);
        return taken && matches(pattern_.size() - rest.size(), t + 1);
    }

    std::string_view pattern_;
    std::string_view text_;
    std::array<std::array<answer, bytes_max + 1>, bytes_max + 1> known_{};
};

}  // namespace

void fuzz_glob(std::string_view bytes) {
    const auto line_end = std::min(bytes.find('\n'), bytes.size());
    const auto pattern = bytes.substr(0, line_end);
    const auto text = bytes.substr(std::min(line_end + 1, bytes.size()));
    step_budget steps;
    glob compiled(pattern, steps);
    const auto steps_to_compile = steps.taken();
    const bool found = compiled.matches(text, steps);
    BUTTERDB_ASSERT(
        steps.taken() - steps_to_compile <= 1 + text.size() * (1 + pattern.size() / 64));
    if (pattern.size() <= matcher::bytes_max && text.size() <= matcher::bytes_max) {
        BUTTERDB_ASSERT(found == matcher(pattern, text).matches(0, 0));
    }
}

void fuzz_settings(std::string_view bytes) {
    if (bytes.empty()) {
        return;
    }
    const auto& row = settings()[static_cast<unsigned char>(bytes.front()) % settings().size()];
    const auto value = row.read(bytes.substr(1));
    if (!value) {
        BUTTERDB_ASSERT(value.error().text.size() < 500);
        return;
    }
    BUTTERDB_ASSERT(row.allows(*value));
    limits lim;
    row.set(lim, *value);
    BUTTERDB_ASSERT(row.get(lim) == *value);
    const auto again = row.read(row.show(lim));
    BUTTERDB_ASSERT(again && *again == *value);
}

}  // namespace butterdb::test
