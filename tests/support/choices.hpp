#pragma once

#include <cstdint>
#include <random>
#include <string_view>

namespace butterdb::test {

/// Where a run's decisions come from: a seed, or the bytes of a fuzzer.
class choices {
public:
    /// `count` decisions, the same for the same seed.
    choices(std::uint64_t seed, std::uint64_t count) : random_(seed), left_(count) {}
    /// As many as the bytes give; then all are 0.
    explicit choices(std::string_view bytes) : bytes_(bytes), left_(bytes.size()) {}

    /// A number below `count`, itself at most 65,536.
    unsigned below(unsigned count) {
        if (bytes_.data() == nullptr) {
            left_ -= left_ > 0 ? 1U : 0U;
            return static_cast<unsigned>(random_() % count);
        }
        unsigned number = 0;
        for (unsigned range = 1; range < count && left_ > 0; range <<= 8) {
            number = number << 8 | static_cast<unsigned char>(bytes_[bytes_.size() - left_]);
            --left_;
        }
        return number % count;
    }

    /// True once in `count` times.
    bool one_in(unsigned count) { return below(count) == 0; }

    bool more() const { return left_ > 0; }

private:
    std::mt19937_64 random_;
    std::string_view bytes_;
    std::uint64_t left_;  // numbers, or bytes
};

}  // namespace butterdb::test
