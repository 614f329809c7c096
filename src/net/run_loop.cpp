#include <butterdb/net/run_loop.hpp>

#include <algorithm>

namespace butterdb {

namespace {

// A sleep of so many times `poll_max` may be one that polling cuts short: being woken takes longer
// than many a client to send its next request.
constexpr int waking_factor = 4;

// In vain so often in a row, while it paid before.
constexpr unsigned misses_max = 8;

}  // namespace

void polling_policy::slept(span length, span poll_max, std::size_t handlers) noexcept {
    const bool may_pay = length < poll_max * waking_factor && handlers <= few_handlers;
    if (may_pay) {
        score_ = std::min(score_ + 1, wanted_);
    } else {
        score_ -= std::min(score_, 2U);
    }
}

void polling_policy::caught(std::size_t handlers) noexcept {
    ++hits_;
    misses_ = 0;
    if (handlers > few_handlers) {
        score_ -= std::min(score_, 2U);
    } else {
        wanted_ = wanted_first;
        score_ = wanted_first;
    }
}

// A trial that fails makes the next one later. One that paid before may miss a few times.
void polling_policy::missed() noexcept {
    if (++misses_ > misses_max || wanted_ > wanted_first) {
        score_ = 0;
        wanted_ = std::min(2 * wanted_, wanted_max);
        misses_ = 0;
    }
}

void run_loop::run() {
    std::size_t handlers = 0;  // since nothing was there last
    while (!io_.stopped()) {
        handlers += io_.poll();
        if (io_.stopped()) {
            break;
        }
        const steady::duration poll_max = limits_.poll_max;
        if (poll_max > poll_max.zero() && policy_.is_worth_it()) {
            const auto found = poll_for(poll_max);
            if (found > 0) {
                policy_.caught(handlers);
                handlers = found;
                continue;
            }
            policy_.missed();
        }
        const auto begin = time_.now();
        const auto ran = io_.run_one();
        policy_.slept(time_.now() - begin, poll_max, handlers);
        handlers = ran;
    }
}

std::size_t run_loop::poll_for(steady::duration span) {
    const auto end = time_.now() + span;
    std::size_t found = 0;
    do {
        found = io_.poll();
    } while (found == 0 && !io_.stopped() && time_.now() < end);
    return found;
}

}  // namespace butterdb
