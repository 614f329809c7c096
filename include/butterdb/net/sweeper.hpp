#pragma once

#include <butterdb/net/asio.hpp>

#include <cstddef>

namespace butterdb {

class sweeper;

/// A session's place in the sweeper's list, and the deadline by which something must have happened.
/// It lies in the session's coroutine frame and takes itself out of the list.
class watched {
public:
    watched(sweeper& owner, stream_socket& socket) noexcept;
    watched(const watched&) = delete;
    watched& operator=(const watched&) = delete;
    ~watched();

    /// Closes the socket unless called again within `span`; a span of 0 takes the deadline away.
    void expect_within(steady::duration span);

private:
    friend class sweeper;

    sweeper& owner_;
    stream_socket& socket_;
    steady::time_point deadline_ = steady::time_point::max();
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

    std::size_t sessions() const noexcept { return sessions_; }

    /// Ends the input of every session: what has arrived is still answered, then it ends.
    void end_input();

    /// Stops waiting until there is a new deadline, so that the io_context can run out of work.
    void stop();

    /// Closes every socket.
    void close_all();

private:
    friend class watched;

    void wake_by(steady::time_point when);
    void sweep();

    steady_timer timer_;
    steady::time_point wake_at_ = steady::time_point::max();
    watched* first_ = nullptr;
    std::size_t sessions_ = 0;
};

}  // namespace butterdb
