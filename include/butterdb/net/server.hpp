#pragma once

#include <butterdb/base/limits.hpp>
#include <butterdb/engine/engine.hpp>
#include <butterdb/engine/password_throttle.hpp>
#include <butterdb/net/asio.hpp>
#include <butterdb/net/handshake_scheduler.hpp>
#include <butterdb/net/log.hpp>
#include <butterdb/net/rounds.hpp>
#include <butterdb/net/session.hpp>
#include <butterdb/net/sweeper.hpp>
#include <butterdb/net/task.hpp>
#include <butterdb/net/time_source.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace butterdb {

/// Runs one session coroutine for each connection, all on one thread: from the acceptors that it is
/// given, until it drains. It knows no address and nothing below its streams, which may be sockets
/// or a simulation of them: `Stream` is what `serve` wants, with the functions of net/stream.hpp,
/// `Acceptor` has Asio's `async_accept`, `accept`, `close` and `is_open`.
class server {
public:
    /// All arguments outlive the server.
    server(
        asio::io_context& io, engine& db, const limits& lim, time_source& time, const logger& log);
    server(const server&) = delete;
    server& operator=(const server&) = delete;
    /// Closes the acceptors and what is left of the connections, and runs `io` until their
    /// coroutines are gone.
    ~server();

    /// Accepts connections until the server drains or ends, which `from` outlives.
    /// `welcome(socket)` is called for each, and calls `admit`.
    template <typename Acceptor, typename Welcome>
    void accept_from(Acceptor& from, Welcome welcome) {
        close_acceptors_.push_back([&from] {
            asio::error_code ignored;
            from.close(ignored);
        });
        spawn(accept_loop(from, std::move(welcome)), accepting_);
    }

    /// Serves a connection. Beyond `limits::clients_max`, a few local ones are served for
    /// administration, and the others are told that there are too many. Throws std::bad_alloc, and
    /// the connection is closed.
    template <typename Stream>
    void admit(Stream stream);

    /// Closes a connection that is not to be served, and says why: one line, which begins with
    /// `-ERR` and ends in CR LF. Throws std::bad_alloc; then it is closed without a word.
    template <typename Stream>
    void turn_away(Stream stream, std::string_view reason);

    /// Logs that a client was turned away in protected mode.
    void note_denied(std::string_view who);
    void note_write_refused();

    /// Stops accepting, answers what has been received, then closes. Connections that last longer
    /// than `limits::drain_patience` are cut. `done` is called when the last has gone.
    void drain(std::function<void()> done);

    /// Coroutines that have not ended.
    std::size_t tasks() const noexcept { return tasks_; }

private:
    // A coroutine that has not ended, counted in `tasks_` and in one number more.
    class counted {
    public:
        counted(server& of, std::uint64_t& running) noexcept : of_(&of), running_(&running) {
            ++of_->tasks_;
            ++*running_;
        }
        counted(counted&& other) noexcept
            : of_(std::exchange(other.of_, nullptr)), running_(other.running_) {}
        counted& operator=(counted&&) = delete;
        ~counted() { release(); }

        bool is_of(const std::uint64_t& running) const noexcept { return running_ == &running; }
        void release() noexcept {
            if (of_ != nullptr) {
                --std::exchange(of_, nullptr)->tasks_;
                --*running_;
            }
        }

    private:
        server* of_;
        std::uint64_t* running_;
    };

    template <typename Acceptor, typename Welcome>
    task<> accept_loop(Acceptor& from, Welcome welcome);
    template <typename Stream>
    task<> converse(Stream stream, peer_origin from, bool administrative);
    template <typename Stream>
    void dismiss(Stream stream, std::string_view reason);
    template <typename Stream>
    task<asio::error_code> secure(Stream& stream, conversation& talk, watched& watch);
    template <typename Stream>
    task<> bid_farewell(Stream stream);
    void spawn(task<> work, std::uint64_t& running);
    void stop_accepting() noexcept;
    void apply_settings();
    static bool is_departure(const asio::error_code& ec);
    void note_handshake(const std::string& why);
    void note_not_served(const std::exception& why);
    void pause_accepting(const asio::error_code& why);
    void introduce(peer& who, watched& watch);
    bool has_place_for_administrator(const peer_origin& from);
    void begin_login(watched& watch, bool administrative, bool has_handshake);
    void note_full();
    void log_refused();
    void count_missed(const watched& watch) noexcept;
    void ended(const std::exception_ptr& failure, bool was_accepting) noexcept;
    void note_drained();
    void look_for_heard();
    void note_ending(const asio::error_code& ec, conversation& talk, const watched& watch);
    void wake_upkeep();
    void upkeep();
    void wake_by(steady::time_point until);
    void wake_late();

    asio::io_context& io_;
    engine& engine_;
    const limits& limits_;
    time_source& time_;
    const logger& log_;
    sweeper sweeper_;
    rounds rounds_;
    handshake_scheduler handshakes_;
    std::unique_ptr<alarm> drain_alarm_;
    std::unique_ptr<alarm> heard_alarm_;
    std::unique_ptr<alarm> upkeep_alarm_;
    std::unique_ptr<alarm> wait_alarm_;
    std::unique_ptr<alarm> accept_alarm_;
    steady_timer accept_pause_;  // never expires: cancelled when it is over
    std::vector<std::function<void()>> close_acceptors_;
    std::chrono::seconds user_timeout_;  // of the connections
    steady::time_point wake_at_ = steady::time_point::max();
    bool upkeep_awake_ = false;
    std::size_t tasks_ = 0;  // coroutines that have not ended; of these:
    std::uint64_t accepting_ = 0;
    std::uint64_t farewells_ = 0;
    bool stopping_ = false;
    std::function<void()> drained_;
    password_throttle password_throttle_;
    std::uint64_t refused_ = 0;  // connections over the limit that no line of the log has counted
    log_throttle refused_log_{std::chrono::seconds(10)};
    log_throttle foreign_log_{std::chrono::minutes(1)};
    log_throttle denied_log_{std::chrono::minutes(1)};
    log_throttle accept_log_{std::chrono::seconds(10)};
    log_throttle failure_log_{std::chrono::seconds(10)};
    log_throttle handshake_log_{std::chrono::seconds(10)};
    log_throttle password_log_{std::chrono::seconds(1)};
    log_throttle memory_log_{std::chrono::seconds(10)};
    log_throttle full_log_{std::chrono::seconds(10)};
};

// As many connections as wait, up to a bound, for each time that the loop is woken.
template <typename Acceptor, typename Welcome>
task<> server::accept_loop(Acceptor& from, Welcome welcome) {
    while (!stopping_ && from.is_open()) {
        asio::error_code ec;
        try {
            auto socket = co_await from.async_accept(into(ec));
            for (std::uint64_t left = limits_.accepts_max; !ec && !stopping_; --left) {
                try {
                    welcome(std::move(socket));
                } catch (const std::exception& why) {
                    note_not_served(why);
                }
                if (left == 1) {
                    break;
                }
                socket = from.accept(ec);
            }
        } catch (const std::bad_alloc&) {
            ec = asio::error::no_memory;
        }
        const bool goes_on = ec == asio::error::would_block || ec == asio::error::try_again ||
                             ec == asio::error::connection_aborted;
        if (ec && !goes_on && !stopping_ && from.is_open()) {
            pause_accepting(ec);
            co_await accept_pause_.async_wait(into(ec));
        }
    }
}

template <typename Stream>
void server::admit(Stream stream) {
    const auto from = origin_of(socket_of(stream));
    const bool is_full = engine_.count.connected_clients >= limits_.clients_max;
    if (is_full && !has_place_for_administrator(from)) {
        note_full();
        turn_away(std::move(stream), too_many_clients);
        return;
    }
    ++engine_.count.connections_received;
    prepare_stream(stream);
    set_user_timeout(socket_of(stream), user_timeout_);
    wake_upkeep();
    auto& running =
        is_full ? engine_.count.administrative_clients : engine_.count.connected_clients;
    spawn(converse(std::move(stream), from, is_full), running);
}

template <typename Stream>
void server::turn_away(Stream stream, std::string_view reason) {
    ++engine_.count.connections_received;
    ++engine_.count.connections_rejected;
    prepare_stream(stream);
    dismiss(std::move(stream), reason);
}

// Only few at a time are given the time to read why: the others' descriptors are needed.
template <typename Stream>
void server::dismiss(Stream stream, std::string_view reason) {
    asio::error_code ignored;
    try_write(stream, reason, ignored);
    if (farewells_ < limits_.farewells_max) {
        spawn(bid_farewell(std::move(stream)), farewells_);
    }
}

template <typename Stream>
task<> server::bid_farewell(Stream stream) {
    watched_socket watch(sweeper_, stream);
    flat_buffer input;
    co_await linger(stream, input, limits_, watch);
}

template <typename Stream>
task<> server::converse(Stream stream, peer_origin from, bool administrative) {
    bool made_room = false;
    {
        conversation talk(engine_, limits_);
        watched_socket watch(sweeper_, stream);
        const memory_charge charge(stream, talk.who().memory);
        asio::error_code ec;
        constexpr bool has_handshake = requires {
            stream.shake_hands(ec);
        };
        begin_login(watch, administrative, has_handshake);
        introduce(talk.who(), watch);
        talk.who().network = from.network;
        talk.who().administrative = administrative;
        talk.who().address = [&stream] { return peer_address(socket_of(stream)); };
        if constexpr (has_handshake) {
            ec = co_await secure(stream, talk, watch);
        }
        if (!ec) {
            ec = co_await serve(stream, talk, limits_, watch, time_, rounds_);
        }
        note_ending(ec, talk, watch);
        made_room = watch.missed() == awaits::administration;
    }
    if (made_room) {
        ++engine_.count.connections_rejected;
        note_full();
        dismiss(std::move(stream), too_many_clients);
    }
}

/// The handshake of TLS. Until it is done, the client counts as one without the password. Returns
/// operation_aborted if it failed, which has been logged by then.
template <typename Stream>
task<asio::error_code> server::secure(Stream& stream, conversation& talk, watched& watch) {
    const bool is_stranger = std::exchange(talk.who().stranger, true);
    watch.begin_input(
        awaits::handshake, std::min(limits_.handshake_timeout, limits_.request_timeout), false);
    auto ec = co_await await_first_byte(stream);
    handshake_scheduler::handshake own(handshakes_, watch);
    while (!ec) {
        co_await own.turn();
        if (watch.is_over()) {
            break;
        }
        if (has_left(socket_of(stream))) {
            ec = asio::error::eof;  // before it costs anything
            break;
        }
        const auto wanted = stream.shake_hands(ec);
        if (ec || wanted == Stream::wants::nothing) {
            break;
        }
        own.yield();
        engine_.shed_clients();
        ec = co_await await_event(stream, wanted);
    }
    watch.end_input();
    watch.expect_nothing();
    talk.who().stranger = is_stranger;
    if (own.made_room()) {
        note_handshake(
            "closed for another one, at most " + std::to_string(limits_.handshakes_max) +
            " at once (--max-handshakes)");
    } else if (watch.missed() == awaits::handshake) {
        note_handshake("it was not done in time");
    } else if (
        ec && watch.missed() == awaits::nothing && talk.open() && !watch.draining() &&
        !is_departure(without_layers(stream, ec))) {
        note_handshake(stream.describe(ec));
    }
    if (ec || watch.is_over()) {
        ec = asio::error::operation_aborted;
    } else if (!is_stranger) {
        watch.login_done();
    }
    co_return ec;
}

}  // namespace butterdb
