#pragma once

#include <butterdb/base/limits.hpp>
#include <butterdb/store/store.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace butterdb {

/// Paces the attempts to say a password, so that guessing over many connections is no faster than
/// over one. Each network has a bucket, which wrong passwords fill and time empties: after
/// `limits::passwords_prompt` of them in a row, one attempt in `limits::password_delay` is answered
/// and the others wait their turn. A right password waits as long as a wrong one would, or guessers
/// could tell them apart without waiting; but it takes no turn, and no attempt waits for longer
/// than `limits::password_wait_max`: guessers delay the clients of their own network, and lock out
/// none.
///
/// Its memory is constant, 8 KiB. Networks whose hashes collide share a bucket; the hash is secret,
/// so that no client can choose whose bucket it shares.
class password_throttle {
public:
    using clock = std::chrono::steady_clock;

    /// Both outlive it.
    password_throttle(const limits& lim, const hash_secret& secret) noexcept
        : limits_(lim), secret_(secret) {}

    /// Returns for how long the answer to an attempt from `network` has to wait. O(1).
    std::chrono::milliseconds delay_of(
        std::uint64_t network, bool is_right, clock::time_point now) noexcept;

private:
    static constexpr std::size_t buckets = 1'024;

    const limits& limits_;
    const hash_secret& secret_;
    std::array<clock::time_point, buckets> empty_at_{};
};

}  // namespace butterdb
