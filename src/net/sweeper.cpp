#include <butterdb/base/assert.hpp>
#include <butterdb/net/sweeper.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

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
    end_output();
    leave_line();
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
    if (what_ == awaits::request || what_ == awaits::administration) {
        expect_nothing();
    }
}

void watched::begin_output(bool is_starved) noexcept {
    is_starved_ = is_starved;
    owner_.starved_ += is_starved ? 1U : 0U;
}

void watched::end_output() noexcept {
    owner_.starved_ -= std::exchange(is_starved_, false) ? 1U : 0U;
}

void watched::request_begun(steady::duration span) {
    if (what_ != awaits::rest_of_request) {
        expect(awaits::rest_of_request, span);
    }
}

void watched::request_done() noexcept {
    expect_nothing();
}

void watched::login_begun(steady::duration span) {
    begin_login(owner_.unauthenticated_, span);
}

void watched::administration_begun(steady::duration span) {
    began_ = owner_.time_.now();
    begin_login(owner_.administrative_, span);
}

void watched::begin_login(std::list<watched*>& line, steady::duration span) {
    if (line_ == nullptr) {
        place_ = line.insert(line.end(), this);
        line_ = &line;
    }
    if (span != steady::duration::zero()) {
        login_deadline_ = owner_.time_.now() + span;
        owner_.wake_by(login_deadline_);
    }
}

void watched::login_done() noexcept {
    login_deadline_ = steady::time_point::max();
    if (line_ == &owner_.unauthenticated_) {
        leave_line();
    }
}

void watched::leave_line() noexcept {
    if (line_ != nullptr) {
        std::exchange(line_, nullptr)->erase(place_);
    }
    login_deadline_ = steady::time_point::max();
}

// An administrative connection that waits for input ends by itself, and is told why.
void watched::miss(awaits what) noexcept {
    missed_ = what;
    expect_nothing();
    leave_line();
    if (what == awaits::administration && in_input_) {
        wake();
    } else {
        cut();
    }
}

void watched::cut() noexcept {
    is_closed_ = true;
    close();
    if (timer_ != nullptr) {
        timer_->cancel();
    }
}

void watched::wake() noexcept {
    if (in_input_) {
        cancel();
        if (timer_ != nullptr) {
            timer_->cancel();
        }
    }
}

sweeper::sweeper(time_source& time) : time_(time), alarm_(time.make_alarm([this] { sweep(); })) {}

sweeper::~sweeper() {
    BUTTERDB_ASSERT(first_ == nullptr);
}

void sweeper::wake_starved() noexcept {
    for (auto* each = starved_ > 0 ? first_ : nullptr; each != nullptr; each = each->next_) {
        if (each->is_starved_) {
            each->cancel();
        }
    }
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

void sweeper::close_oldest_unauthenticated() noexcept {
    unauthenticated_.front()->miss(awaits::password);
}

bool sweeper::end_silent_administrative(steady::duration silence) noexcept {
    const auto is_silent = [&](const watched* each) {
        return !each->is_proved_ && each->began_ + silence <= time_.now();
    };
    const auto found = std::ranges::find_if(administrative_, is_silent);
    if (found == administrative_.end()) {
        return false;
    }
    (*found)->miss(awaits::administration);
    return true;
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
            each->cut();
        }
    }
}

void sweeper::close_all() noexcept {
    for (auto* each = first_; each != nullptr; each = each->next_) {
        each->cut();
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

// Returns the next deadline.
steady::time_point sweeper::sweep_logins(steady::time_point now) noexcept {
    while (!unauthenticated_.empty() && unauthenticated_.front()->login_deadline_ <= now) {
        close_oldest_unauthenticated();
    }
    auto earliest = unauthenticated_.empty() ? steady::time_point::max()
                                             : unauthenticated_.front()->login_deadline_;
    for (auto next = administrative_.begin(); next != administrative_.end();) {
        auto* const each = *next++;  // which may leave the line
        if (each->login_deadline_ <= now) {
            each->miss(awaits::administration);
        }
        earliest = std::min(earliest, each->login_deadline_);
    }
    return earliest;
}

void sweeper::sweep() {
    const auto now = time_.now();
    auto earliest = sweep_logins(now);
    bool look_again = false;
    for (auto* each = first_; each != nullptr; each = each->next_) {
        if (each->what_ == awaits::rest_of_request && !each->in_input_) {
            continue;  // it has come, and waits for its turn
        }
        if (each->deadline_ <= now) {
            each->miss(each->what_);
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
