#pragma once

#include <butterdb/base/limits.hpp>
#include <butterdb/net/asio.hpp>
#include <butterdb/net/time_source.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace butterdb {

/// Learns whether looking for work again and again pays before falling asleep. It does when few
/// clients talk, one request at a time: then most of a request's time goes into being woken. It
/// does not when much work comes at once, which pays for a wake-up, or when work is long in coming.
class polling_policy {
public:
    using span = std::chrono::nanoseconds;

    /// Whether to look for work before the next sleep.
    bool is_worth_it() const noexcept { return score_ >= wanted_; }

    /// Slept so long, of which it may have been `poll_max` that nothing was there; before it, so
    /// many handlers ran.
    void slept(span length, span poll_max, std::size_t handlers) noexcept;

    /// Looked for work, and it came in time.
    void caught(std::size_t handlers) noexcept;
    /// Looked for work in vain.
    void missed() noexcept;

    /// Times that polling found work before the loop slept.
    std::uint64_t hits() const noexcept { return hits_; }

private:
    static constexpr unsigned wanted_first = 8;  // short sleeps of few handlers, before a trial
    static constexpr unsigned wanted_max = 4096;
    static constexpr std::size_t few_handlers = 5;  // of four clients, and their round

    unsigned score_ = 0;
    unsigned wanted_ = wanted_first;
    unsigned misses_ = 0;  // in a row
    std::uint64_t hits_ = 0;
};

/// Runs an io_context like its own `run`, and before it sleeps looks for work for up to
/// `limits::poll_max`, while that pays.
class run_loop {
public:
    /// All outlive it.
    run_loop(asio::io_context& io, const limits& lim, time_source& time)
        : io_(io), limits_(lim), time_(time) {}

    /// Runs until there is nothing left to wait for.
    void run();

    const polling_policy& policy() const noexcept { return policy_; }

private:
    std::size_t poll_for(steady::duration span);

    asio::io_context& io_;
    const limits& limits_;
    time_source& time_;
    polling_policy policy_;
};

}  // namespace butterdb
