#pragma once

#include <butterdb/net/asio.hpp>
#include <butterdb/net/stream.hpp>
#include <butterdb/net/time_source.hpp>

#include <chrono>
#include <cstddef>
#include <list>
#include <memory>

namespace butterdb {

class sweeper;

/// What a connection is waiting for. Each has a time of its own, see limits.hpp.
enum class awaits {
    nothing,
    request,          ///< the first byte of one
    administration,   ///< the same, of a client beyond limits::clients_max; or its password
    password,         ///< of a client that is not authenticated, whatever it sends meanwhile
    handshake,        ///< all of it, from the accept on
    rest_of_request,  ///< all of it, from its first byte on
    reader,           ///< the peer, to take replies
    goodbye,          ///< the peer, to take the last word
    leave,            ///< the peer, to close its side
    reply,            ///< on a client's side: the server's answer
};

/// A connection's place in the sweeper's list: by when something must have happened, and whether
/// the session is to end. It lies in the session's coroutine frame and takes itself out of the
/// list.
class watched {
public:
    explicit watched(sweeper& owner) noexcept;
    watched(const watched&) = delete;
    watched& operator=(const watched&) = delete;
    virtual ~watched();

    /// Closes the connection unless something else is expected within `span`; a span of 0 takes the
    /// deadline away.
    void expect(awaits what, steady::duration span);
    void expect_nothing() noexcept;

    /// A wait for input begins, which `wake` and `sweeper::drain` cut short. Between requests it is
    /// for the next one; within a request its deadline stays. `roomy`: the session has memory that
    /// an idle one does not need.
    /// Who waits for something else than a request (awaits::nothing) may do so for ever.
    void begin_input(awaits what, steady::duration idle_timeout, bool roomy);
    void end_input() noexcept;

    /// A wait for room for output begins, and ends. If `is_starved`, the session would also read
    /// input, if it could have more memory: `sweeper::wake_starved` cuts the wait short.
    void begin_output(bool is_starved) noexcept;
    void end_output() noexcept;

    /// The first byte of a request has come: all of it is to come within `span`, however it
    /// trickles in. Does nothing until `request_done`.
    void request_begun(steady::duration span);
    void request_done() noexcept;

    /// The client is to authenticate within `span`, whatever it sends meanwhile; until then
    /// `sweeper::close_oldest_unauthenticated` may close it. Throws std::bad_alloc, and nothing has
    /// changed.
    void login_begun(steady::duration span);
    void login_done() noexcept;

    /// The client is beyond limits::clients_max. It is to authenticate within `span`; 0: it need
    /// not. Until it has sent a request that is executed, `sweeper::end_silent_administrative` may
    /// end it. A deadline that it misses does not close it: its wait for input is cut short, so
    /// that it can be told why.
    void administration_begun(steady::duration span);
    /// The administrative client is one: it has authenticated, where that is asked for, and sent a
    /// request of administration.
    void administration_proved() noexcept { is_proved_ = true; }

    /// Beside the operations of the connection, a wait for `timer` ends when it is closed. Null:
    /// for none.
    void set_timer(steady_timer* timer) noexcept { timer_ = timer; }

    /// Cuts a wait for input short, if there is one. Bytes that have arrived by then may still be
    /// delivered: who reads looks whether it was woken, too.
    void wake() noexcept;

    /// Closes the connection, which ends its pending operations and so its session.
    void cut() noexcept;

    /// True once the session has to end: take in what has arrived, answer it, and go.
    bool draining() const noexcept { return draining_; }

    /// True once the connection is closed, has missed a time-out, or is to end.
    bool is_over() const noexcept { return is_closed_ || draining_ || missed_ != awaits::nothing; }

    /// True when the session has been idle and roomy for a while, until the next wait for input.
    bool is_to_tidy() const noexcept { return to_tidy_; }

    /// What did not come in time: then the connection has been closed. Else nothing.
    awaits missed() const noexcept { return missed_; }

private:
    friend class sweeper;

    void begin_login(std::list<watched*>& line, steady::duration span);
    void leave_line() noexcept;
    void miss(awaits what) noexcept;

    virtual void close() noexcept = 0;
    virtual void cancel() noexcept = 0;
    virtual bool is_heard() noexcept = 0;
    virtual void limit_silence(std::chrono::seconds user_timeout) noexcept = 0;

    sweeper& owner_;
    watched* previous_ = nullptr;
    watched* next_ = nullptr;
    steady::time_point deadline_ = steady::time_point::max();
    steady::time_point login_deadline_ = steady::time_point::max();
    std::list<watched*>* line_ = nullptr;  // of the sweeper, in which it is at `place_`
    std::list<watched*>::iterator place_;
    awaits what_ = awaits::nothing;
    awaits missed_ = awaits::nothing;
    steady::time_point began_;  // as administrative
    steady_timer* timer_ = nullptr;
    bool is_proved_ = false;
    bool is_closed_ = false;
    bool in_input_ = false;
    bool is_starved_ = false;  // in a wait for output
    bool roomy_ = false;
    bool was_idle_ = false;  // at the last sweep, and is since then
    bool to_tidy_ = false;
    bool draining_ = false;
};

/// A watched socket, or what has its `close` and `cancel`, an `output_has_arrived` and a
/// `set_user_timeout`.
template <typename Socket>
class watched_socket final : public watched {
public:
    /// Both outlive it.
    watched_socket(sweeper& owner, Socket& socket) noexcept : watched(owner), socket_(socket) {}

private:
    void close() noexcept override {
        asio::error_code ignored;
        socket_.close(ignored);
    }
    void cancel() noexcept override {
        asio::error_code ignored;
        socket_.cancel(ignored);
    }
    bool is_heard() noexcept override { return output_has_arrived(socket_); }
    void limit_silence(std::chrono::seconds user_timeout) noexcept override {
        set_user_timeout(socket_, user_timeout);
    }

    Socket& socket_;
};

/// Knows all sessions, closes those past their deadline and has the idle ones tidy up: one alarm
/// for all, set only while there is something to look for. A sweep is O(sessions), and there are at
/// most four a second.
class sweeper {
public:
    /// `time` outlives it.
    explicit sweeper(time_source& time);
    sweeper(const sweeper&) = delete;
    sweeper& operator=(const sweeper&) = delete;
    ~sweeper();

    /// Cuts the waits for output short of sessions that need memory to read on. O(1) if there are
    /// none.
    void wake_starved() noexcept;

    /// Tells every session to end, and wakes those that wait for input.
    void drain() noexcept;

    /// Sessions that wait for a request have that much time, from now on; 0: without end.
    void set_idle_timeout(steady::duration span);

    /// Connections that are to authenticate, and those that are administrative.
    std::size_t unauthenticated() const noexcept { return unauthenticated_.size(); }
    std::size_t administrative() const noexcept { return administrative_.size(); }

    /// Closes the connection that is to authenticate for the longest time. Requires that there is
    /// one.
    void close_oldest_unauthenticated() noexcept;
    /// Ends the administrative connection that has sent no request for the longest time, if that
    /// is at least `silence`, as if it had missed its deadline. Returns whether there was one.
    bool end_silent_administrative(steady::duration silence) noexcept;

    /// Calls `set_user_timeout` for the sockets of all sessions.
    void set_user_timeouts(std::chrono::seconds span) noexcept;

    /// After `drain`: closes those that only wait for their peers to leave, and whose peers'
    /// machines have all that was said.
    void close_heard() noexcept;

    /// Closes every connection.
    void close_all() noexcept;

    /// Stops waiting until there is a new deadline, so that the io_context can run out of work.
    void stop() noexcept;

private:
    friend class watched;

    void wake_by(steady::time_point when);
    void look_for_idle();
    void sweep();
    steady::time_point sweep_logins(steady::time_point now) noexcept;

    time_source& time_;
    std::unique_ptr<alarm> alarm_;
    steady::time_point wake_at_ = steady::time_point::max();
    bool looks_for_idle_ = false;
    std::size_t starved_ = 0;  // sessions
    watched* first_ = nullptr;
    std::list<watched*> unauthenticated_;  // in the order of their deadlines
    std::list<watched*> administrative_;   // in the order in which they came
};

}  // namespace butterdb
