#pragma once

#include <butterdb/net/time_source.hpp>

#include <algorithm>
#include <functional>
#include <memory>
#include <new>
#include <stdexcept>
#include <utility>
#include <vector>

namespace butterdb::test {

/// Time that stands still until a test moves it; alarms ring while it is moved.
class manual_time final : public time_source {
public:
    precise_time_point precise_wall() noexcept override {
        return wall_ + std::chrono::floor<std::chrono::microseconds>(rest_);
    }
    steady::time_point now() noexcept override { return now_; }

    std::unique_ptr<alarm> make_alarm(std::function<void()> ring) override {
        return std::make_unique<manual_alarm>(*this, std::move(ring));
    }

    /// When the next alarm rings; time_point::max(): none is set.
    steady::time_point next_alarm() const {
        auto next = steady::time_point::max();
        for (const auto* each : alarms_) {
            next = std::min(next, each->when);
        }
        return next;
    }

    /// Moves both clocks, past the alarms on the way, each at its time. Throws std::logic_error
    /// when an alarm is set for the present again and again.
    void advance(steady::duration span) {
        constexpr unsigned rings_max = 10'000;  // without time passing
        const auto end = now_ + span;
        unsigned rings = 0;
        while (next_alarm() <= end) {
            rings = next_alarm() <= now_ ? rings + 1 : 0;
            if (rings > rings_max) {
                throw std::logic_error("an alarm rings without end");
            }
            move_to(std::max(now_, next_alarm()));
            const auto due = std::ranges::find_if(
                alarms_, [this](const manual_alarm* each) { return each->when <= now_; });
            (*due)->when = steady::time_point::max();
            (*due)->ring();
        }
        move_to(end);
    }

    /// The wall clock is set.
    void set_wall(time_point when) { wall_ = when; }

private:
    struct manual_alarm final : alarm {
        manual_alarm(manual_time& owner, std::function<void()> call)
            : time(owner), ring(std::move(call)) {
            time.alarms_.push_back(this);
        }
        ~manual_alarm() override { std::erase(time.alarms_, this); }

        void set(steady::time_point at) override {
            when = steady::time_point::max();
            ::operator delete(::operator new(1));  // the machine's takes memory too
            when = at;
        }
        void cancel() noexcept override { when = steady::time_point::max(); }

        manual_time& time;
        std::function<void()> ring;
        steady::time_point when = steady::time_point::max();
    };

    void move_to(steady::time_point when) {
        rest_ += when - now_;
        now_ = when;
        const auto whole = std::chrono::duration_cast<std::chrono::milliseconds>(rest_);
        wall_ += whole;
        rest_ -= whole;
    }

    steady::time_point now_{std::chrono::hours(1)};
    time_point wall_{std::chrono::hours(1)};
    steady::duration rest_{0};  // of a millisecond
    std::vector<manual_alarm*> alarms_;
};

/// A clock that goes on by itself, a little each time that it is looked at.
class running_time final : public time_source {
public:
    explicit running_time(steady::duration step) : step_(step) {}

    precise_time_point precise_wall() noexcept override { return {}; }
    steady::time_point now() noexcept override { return now_ += step_; }
    std::unique_ptr<alarm> make_alarm(std::function<void()> ring) override {
        return stopped_.make_alarm(std::move(ring));
    }

private:
    steady::duration step_;
    steady::time_point now_{};
    manual_time stopped_;
};

}  // namespace butterdb::test
