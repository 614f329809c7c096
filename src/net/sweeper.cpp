#include <butterdb/net/sweeper.hpp>

#include <algorithm>

namespace butterdb {

namespace {

// How late a deadline may be met, so that many close together share one sweep.
constexpr auto slack = std::chrono::milliseconds(100);

}  // namespace

watched::watched(sweeper& owner, stream_socket& socket) noexcept
    : owner_(owner), socket_(socket), next_(owner.first_) {
    if (next_ != nullptr) {
        next_->previous_ = this;
    }
    owner_.first_ = this;
}

watched::~watched() {
    (previous_ == nullptr ? owner_.first_ : previous_->next_) = next_;
    if (next_ != nullptr) {
        next_->previous_ = previous_;
    }
}

void watched::expect_within(steady::duration span) {
    if (span == steady::duration::zero()) {
        deadline_ = steady::time_point::max();
        return;
    }
    deadline_ = steady::now() + span;
    owner_.wake_by(deadline_);
}

void watched::expect_input_within(steady::duration span) {
    awaits_input_ = true;
    expect_within(span);
}

void watched::got_input() noexcept {
    awaits_input_ = false;
    deadline_ = steady::time_point::max();
}

void watched::wake() noexcept {
    if (awaits_input_) {
        asio::error_code ignored;
        socket_.cancel(ignored);
    }
}

void sweeper::drain() {
    for (auto* each = first_; each != nullptr; each = each->next_) {
        each->draining_ = true;
        each->wake();
    }
}

void sweeper::close_all() {
    for (auto* each = first_; each != nullptr; each = each->next_) {
        asio::error_code ignored;
        each->socket_.close(ignored);
    }
}

void sweeper::stop() {
    timer_.cancel();
    wake_at_ = steady::time_point::max();
}

void sweeper::wake_by(steady::time_point when) {
    if (when >= wake_at_) {
        return;
    }
    wake_at_ = when;
    timer_.expires_at(when + slack);
    timer_.async_wait([this](const asio::error_code& ec) {
        if (!ec) {
            sweep();
        }
    });
}

void sweeper::sweep() {
    const auto now = steady::now();
    auto earliest = steady::time_point::max();
    for (auto* each = first_; each != nullptr; each = each->next_) {
        if (each->deadline_ <= now) {
            asio::error_code ignored;
            each->socket_.close(ignored);
        } else {
            earliest = std::min(earliest, each->deadline_);
        }
    }
    wake_at_ = steady::time_point::max();
    if (earliest != steady::time_point::max()) {
        wake_by(earliest);
    }
}

}  // namespace butterdb
