#include <butterdb/engine/password_throttle.hpp>

#include <algorithm>
#include <string_view>

namespace butterdb {

std::chrono::milliseconds password_throttle::delay_of(
    std::uint64_t network, bool is_right, clock::time_point now) noexcept {
    const std::string_view key(reinterpret_cast<const char*>(&network), sizeof network);
    auto& empty_at = empty_at_.at(secret_hash(key, secret_) % buckets);
    empty_at = std::max(empty_at, now);
    const auto filled = empty_at - now;
    const auto allowed = (limits_.passwords_prompt - 1) * limits_.password_delay;
    const auto wait = std::clamp<clock::duration>(
        filled - allowed, clock::duration::zero(), limits_.password_wait_max);
    if (!is_right) {
        empty_at = now + std::min<clock::duration>(
                             filled + limits_.password_delay, allowed + limits_.password_wait_max);
    }
    if (wait == clock::duration::zero()) {
        return std::chrono::milliseconds(0);
    }
    // Many that wait are answered together: each wake looks at all clients.
    const clock::duration step = limits_.password_delay;
    const auto due = (now + wait).time_since_epoch() + step - clock::duration(1);
    return std::chrono::ceil<std::chrono::milliseconds>(due / step * step - now.time_since_epoch());
}

}  // namespace butterdb
