#pragma once

#include <butterdb/base/limits.hpp>
#include <butterdb/net/asio.hpp>
#include <butterdb/net/sweeper.hpp>
#include <butterdb/net/task.hpp>
#include <butterdb/net/time_source.hpp>

#include <cstddef>
#include <list>
#include <memory>

namespace butterdb {

/// Bounds the number of TLS handshakes and their share of time, for the sake of other clients.
///
///     turn -> compute -> wait for the client -> turn -> compute -> ... -> done
///
/// One handshake computes at a time. After a step that took t the next begins no sooner than
/// (limits::handshake_share - 1) * t later. A handshake that has begun goes before one that has
/// not. One that has not begun holds no memory of TLS. It begins when there are less than
/// `limits::handshakes_max`; else that which has waited longest for its client is closed first.
class handshake_scheduler {
public:
    /// All outlive it.
    handshake_scheduler(asio::io_context& io, time_source& time, const limits& lim);
    handshake_scheduler(const handshake_scheduler&) = delete;
    handshake_scheduler& operator=(const handshake_scheduler&) = delete;
    ~handshake_scheduler();

    class handshake;

    /// Handshakes that have begun and are not done.
    std::size_t begun() const noexcept { return begun_; }

    /// Ends the waiting for turns, of which each comes immediately from now on.
    void stop();

private:
    using row = std::list<handshake*>;

    void next_turn();
    handshake* choose();
    void pause_after(steady::duration step);

    asio::io_context& io_;
    time_source& time_;
    const limits& limits_;
    std::unique_ptr<alarm> alarm_;
    row fresh_;    // are to begin
    row ready_;    // have begun, and have something to compute
    row waiting_;  // for their clients, the longest first
    row computing_;
    row leaving_;  // have been closed to make room
    std::size_t begun_ = 0;
    steady::time_point resume_at_ = steady::time_point::min();
    bool is_stopped_ = false;
};

/// One handshake; lies in its coroutine.
class handshake_scheduler::handshake {
public:
    /// `connection` is what is cut to make room. Both outlive it.
    handshake(handshake_scheduler& all, watched& connection);
    handshake(const handshake&) = delete;
    handshake& operator=(const handshake&) = delete;
    ~handshake();

    /// Waits for the turn to compute, or until the connection is over.
    task<> turn();

    /// The turn is over: the handshake waits for its client.
    void yield();

    /// True if it was closed to make room for another.
    bool made_room() const noexcept { return made_room_; }

private:
    friend class handshake_scheduler;

    void move_to(row& where) noexcept;
    void end_turn();

    handshake_scheduler& all_;
    watched& connection_;
    steady_timer wake_;  // never expires: cancelled when the turn has come
    row* in_;
    row::iterator at_;
    steady::time_point turn_began_;
    bool has_begun_ = false;
    bool made_room_ = false;
};

}  // namespace butterdb
