#pragma once

#include <butterdb/net/asio.hpp>

#include <cstddef>

namespace butterdb {

class sweeper;

/// A session's place in the sweeper's list: by when something must have happened, and whether the
/// session is to end. It lies in the session's coroutine frame and takes itself out of the list.
class watched {
public:
    watched(sweeper& owner, stream_socket& socket) noexcept;
    watched(const watched&) = delete;
    watched& operator=(const watched&) = delete;
    ~watched();

    /// Closes the socket unless called again within `span`; a span of 0 takes the deadline away.
    void expect_within(steady::duration span);

    /// The same, for a wait for input: `sweeper::drain` cuts it short.
    void expect_input_within(steady::duration span);
    /// The wait for input is over.
    void got_input() noexcept;

    /// Cancels a wait for input, if there is one. Bytes that have arrived by then may still be
    /// delivered: who reads looks whether it was woken, too.
    void wake() noexcept;

    /// True once the session has to end: take in what has arrived, answer it, and go.
    bool draining() const noexcept { return draining_; }

private:
    friend class sweeper;

    sweeper& owner_;
    stream_socket& socket_;
    steady::time_point deadline_ = steady::time_point::max();
    bool awaits_input_ = false;
    bool draining_ = false;
    watched* previous_ = nullptr;
    watched* next_ = nullptr;
};

/// Knows all sessions, and closes the sockets of those past their deadline: one timer for all,
/// armed only while there is a deadline. Closing a socket ends its pending operation with an error,
/// which ends its session.
class sweeper {
public:
    explicit sweeper(asio::io_context& io) : timer_(io) {}
    sweeper(const sweeper&) = delete;
    sweeper& operator=(const sweeper&) = delete;

    /// Tells every session to end, and wakes those that wait for input.
    void drain();

    /// Closes every socket.
    void close_all();

    /// Stops waiting until there is a new deadline, so that the io_context can run out of work.
    void stop();

private:
    friend class watched;

    void wake_by(steady::time_point when);
    void sweep();

    steady_timer timer_;
    steady::time_point wake_at_ = steady::time_point::max();
    watched* first_ = nullptr;
};

}  // namespace butterdb
