#pragma once

#include <butterdb/base/time.hpp>
#include <butterdb/net/asio.hpp>

#include <functional>
#include <memory>

namespace butterdb {

/// Rings once, at a time that may be set anew.
class alarm {
public:
    alarm() = default;
    alarm(const alarm&) = delete;
    alarm& operator=(const alarm&) = delete;
    virtual ~alarm() = default;

    /// Rings at `when` or soon after it; an earlier setting counts no longer.
    virtual void set(steady::time_point when) = 0;
    virtual void cancel() noexcept = 0;
};

/// Time as all of net sees it, so that tests can move it by hand.
class time_source {
public:
    time_source() = default;
    time_source(const time_source&) = delete;
    time_source& operator=(const time_source&) = delete;
    virtual ~time_source() = default;

    /// Returns the time by the wall clock, which may jump.
    virtual precise_time_point precise_wall() noexcept = 0;
    /// The same in milliseconds, for core's `now`.
    time_point wall() noexcept { return std::chrono::floor<time_point::duration>(precise_wall()); }
    /// The clock of time-outs. It never goes back.
    virtual steady::time_point now() noexcept = 0;
    /// An alarm that calls `ring`. The source of time outlives it.
    virtual std::unique_ptr<alarm> make_alarm(std::function<void()> ring) = 0;
};

/// The machine's time; alarms ring on the thread that runs `io`.
class system_time final : public time_source {
public:
    explicit system_time(asio::io_context& io) : io_(io) {}

    precise_time_point precise_wall() noexcept override;
    steady::time_point now() noexcept override { return steady::now(); }
    std::unique_ptr<alarm> make_alarm(std::function<void()> ring) override;

private:
    asio::io_context& io_;
};

}  // namespace butterdb
