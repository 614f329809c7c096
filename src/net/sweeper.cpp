#include <butterdb/base/assert.hpp>
#include <butterdb/net/sweeper.hpp>

#include <algorithm>
#include <chrono>

namespace butterdb {

namespace {

// How late a deadline may be met, so that many close together share one sweep.
constexpr auto slack = std::chrono::milliseconds(250);

// A session that has been idle from one look to the next is asked to tidy up.
constexpr auto idle_look = std::chrono::milliseconds(700);

}  // namespace

watched::watched(sweeper& owner) noexcept : owner_(owner), next_(owner.first_) {
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

void watched::expect(awaits what, steady::duration span) {
    expect_nothing();
    what_ = what;
    if (span != steady::duration::zero()) {
        deadline_ = owner_.time_.now() + span;
        owner_.wake_by(deadline_);
    }
}

void watched::expect_nothing() noexcept {
    what_ = awaits::nothing;
    deadline_ = steady::time_point::max();
}

void watched::begin_input(awaits what, steady::duration idle_timeout, bool roomy) {
    in_input_ = true;
    to_tidy_ = false;
    was_idle_ = false;
    roomy_ = roomy;
    if (roomy_) {
        owner_.look_for_idle();
    }
    if (what_ == awaits::rest_of_request) {
        owner_.wake_by(deadline_);
    } else {
        expect(what, what == awaits::nothing ? steady::duration::zero() : idle_timeout);
    }
}

void watched::end_input() noexcept {
    in_input_ = false;
    if (what_ == awaits::request || what_ == awaits::password) {
        expect_nothing();
    }
}

void watched::request_begun(steady::duration span) {
    if (what_ != awaits::rest_of_request) {
        expect(awaits::rest_of_request, span);
    }
}

void watched::request_done() noexcept {
    expect_nothing();
}

void watched::wake() noexcept {
    if (in_input_) {
        cancel();
    }
}

sweeper::sweeper(time_source& time) : time_(time), alarm_(time.make_alarm([this] { sweep(); })) {}

sweeper::~sweeper() {
    BUTTERDB_ASSERT(first_ == nullptr);
}

void sweeper::drain() noexcept {
    for (auto* each = first_; each != nullptr; each = each->next_) {
        each->draining_ = true;
        each->wake();
    }
}

void sweeper::set_idle_timeout(steady::duration span) {
    for (auto* each = first_; each != nullptr; each = each->next_) {
        if (each->in_input_ && each->what_ == awaits::request) {
            each->expect(awaits::request, span);
        }
    }
}

void sweeper::set_user_timeouts(std::chrono::seconds span) noexcept {
    for (auto* each = first_; each != nullptr; each = each->next_) {
        each->limit_silence(span);
    }
}

void sweeper::close_heard() noexcept {
    for (auto* each = first_; each != nullptr; each = each->next_) {
        if (each->draining_ && each->what_ == awaits::leave && each->is_heard()) {
            each->expect_nothing();
            each->close();
        }
    }
}

void sweeper::close_all() noexcept {
    for (auto* each = first_; each != nullptr; each = each->next_) {
        each->close();
    }
}

void sweeper::stop() noexcept {
    alarm_->cancel();
    wake_at_ = steady::time_point::max();
    looks_for_idle_ = false;
}

void sweeper::wake_by(steady::time_point when) {
    if (when < wake_at_) {
        wake_at_ = steady::time_point::max();  // should setting it throw
        alarm_->set(when + slack);
        wake_at_ = when;
    }
}

void sweeper::look_for_idle() {
    if (!looks_for_idle_) {
        wake_by(time_.now() + idle_look);
        looks_for_idle_ = true;
    }
}

void sweeper::sweep() {
    const auto now = time_.now();
    auto earliest = steady::time_point::max();
    bool look_again = false;
    for (auto* each = first_; each != nullptr; each = each->next_) {
        if (each->what_ == awaits::rest_of_request && !each->in_input_) {
            continue;  // it has come, and waits for its turn
        }
        if (each->deadline_ <= now) {
            each->missed_ = each->what_;
            each->expect_nothing();
            each->close();
            continue;
        }
        earliest = std::min(earliest, each->deadline_);
        if (each->in_input_ && each->roomy_ && !each->to_tidy_) {
            each->to_tidy_ = each->was_idle_;
            each->was_idle_ = true;
            look_again = look_again || !each->to_tidy_;
            if (each->to_tidy_) {
                each->wake();
            }
        }
    }
    wake_at_ = steady::time_point::max();
    looks_for_idle_ = false;
    if (earliest != steady::time_point::max()) {
        wake_by(earliest);
    }
    if (look_again) {
        look_for_idle();
    }
}

}  // namespace butterdb
