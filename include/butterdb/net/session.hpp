#pragma once

#include <butterdb/conversation/conversation.hpp>
#include <butterdb/net/asio.hpp>
#include <butterdb/net/readiness.hpp>
#include <butterdb/net/rounds.hpp>
#include <butterdb/net/stream.hpp>
#include <butterdb/net/sweeper.hpp>
#include <butterdb/net/task.hpp>
#include <butterdb/net/time_source.hpp>

#include <asio/read_until.hpp>
#include <asio/write.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

namespace butterdb {

/// Lets Asio append to a conversation's input: a DynamicBuffer_v2, a view that is cheap to copy.
class input_view {
public:
    using const_buffers_type = asio::const_buffer;
    using mutable_buffers_type = asio::mutable_buffer;

    input_view(conversation& talk, std::size_t size_max) noexcept
        : talk_(&talk), size_max_(size_max) {}

    std::size_t size() const noexcept { return bytes().size(); }
    /// As much as there is memory for: Asio asks before it grows the buffer, which may then not
    /// fail.
    std::size_t max_size() const noexcept {
        return talk_->make_input_room(read_bytes_max) ? size_max_ : size();
    }
    std::size_t capacity() const noexcept { return std::min(bytes().capacity(), size_max_); }

    const_buffers_type data(std::size_t at, std::size_t count) const noexcept {
        const auto part = std::as_const(bytes()).view().substr(at, count);
        return {part.data(), part.size()};
    }
    mutable_buffers_type data(std::size_t at, std::size_t count) noexcept {
        const auto part = bytes().bytes().subspan(at);
        return {part.data(), std::min(count, part.size())};
    }

    void grow(std::size_t count) {
        bytes().prepare(count);
        bytes().commit(count);
    }
    void shrink(std::size_t count) noexcept { bytes().drop_back(count); }
    void consume(std::size_t count) noexcept { bytes().consume(count); }

    /// What async_read_until reads at most, and at least has room for.
    static constexpr std::size_t read_bytes_max = 64 * KiB;

private:
    flat_buffer& bytes() const noexcept { return talk_->input(); }

    conversation* talk_;
    std::size_t size_max_;
};

/// Match condition of async_read_until: stop reading once the conversation has something to do, or
/// the session has to end.
class request_arrived {
public:
    request_arrived(conversation& talk, watched& watch, const limits& lim) noexcept
        : talk_(&talk), watch_(&watch), limits_(&lim) {}

    template <typename Iterator>
    std::pair<Iterator, bool> operator()(Iterator begin, Iterator end) const {
        const auto searched = talk_->input().size() - static_cast<std::size_t>(end - begin);
        return {end, is_enough(searched)};
    }

    /// The same of the whole input.
    bool all() const { return is_enough(0); }

private:
    // The bytes of the input from `searched` on are new.
    bool is_enough(std::size_t searched) const {
        const bool arrived = talk_->is_ready(searched) || watch_->draining();
        if (!arrived && talk_->in_request()) {
            watch_->request_begun(limits_->request_timeout);
        }
        return arrived;
    }

    conversation* talk_;
    watched* watch_;
    const limits* limits_;
};

}  // namespace butterdb

template <>
struct asio::is_match_condition<butterdb::request_arrived> : std::true_type {};

namespace butterdb {

/// Appends what has arrived, up to the room of one read. False when that is nothing, or when
/// `total` bytes, to which it is added, are enough.
template <typename Stream>
bool take_arrived(Stream& stream, flat_buffer& input, const limits& lim, std::size_t& total) {
    char* const room = input.prepare(lim.input_bytes_steady);
    asio::error_code ignored;  // the next read fails in the same way
    const auto received = try_read(stream, {room, lim.input_bytes_steady}, ignored);
    input.commit(received);
    total += received;
    return received > 0 && total <= lim.drain_bytes_max;
}

/// Requests that a turn executes between two looks at the clock.
inline constexpr std::size_t turn_step = 25;

/// One turn of a client: executes requests until there is none, or the bounds of a turn are met.
/// A turn that is over after its first step, as most are, looks at no second clock.
inline void take_turn(conversation& talk, watched& watch, const limits& lim, time_source& time) {
    const auto now = time.wall();
    talk.begin_turn();
    auto left = lim.turn_requests_max;
    const auto step = [&] {
        const auto done = talk.receive(now, std::min<std::size_t>(left, turn_step));
        left -= done;
        return done;
    };
    if (step() > 0) {
        watch.request_done();
    }
    if (!talk.backlog()) {
        return;
    }
    const auto end = time.now() + lim.turn_time_max;
    while (talk.backlog() && left > 0 && !talk.has_done_enough() && time.now() < end) {
        step();
    }
}

/// Ends the wait of a blocked client that has sent more than `line_bytes_max` meanwhile. Returns
/// whether it did.
inline bool give_up_overfull_wait(conversation& talk, const limits& lim) {
    const bool overfull = talk.parked() && talk.input().size() > lim.line_bytes_max;
    if (overfull) {
        talk.give_up_waiting();
    }
    return overfull;
}

/// Maps the end of a TLS stream without close_notify to eof, so that callers see one error for the
/// end of the input.
template <typename Stream>
asio::error_code without_layers(const Stream&, const asio::error_code& ec) {
    if constexpr (requires { Stream::is_end(ec); }) {
        return Stream::is_end(ec) ? make_error_code(asio::error::eof) : ec;
    } else {
        return ec;
    }
}

/// What a session does while replies wait to be sent.
struct read_ahead_state {
    bool has_input = true;         ///< more may be read, as far as is known
    bool executes = false;         ///< the client is blocked in sending: its requests are executed
    bool has_progressed = false;   ///< bytes or requests have moved: restart the time-out
    std::uint64_t bytes_read = 0;  ///< since the last progress
};

/// One step while replies wait to be sent and the socket is readable: reads, or takes a turn once
/// as much input is there as is read without executing it. It waits for nothing: the rest of a TLS
/// record would hold back the replies. At the end of the input it sets `has_input` to false; the
/// session reads the end again.
template <typename Stream>
asio::error_code read_ahead(
    Stream& stream,
    conversation& talk,
    const limits& lim,
    watched& watch,
    time_source& time,
    read_ahead_state& state) {
    asio::error_code ec;
    if (bytes_available(socket_of(stream)) == 0) {
        // Asio may report readiness of which an earlier read has taken the bytes.
        state.has_input = !has_left(socket_of(stream));
        return ec;
    }
    state.executes = talk.has_read_ahead() || (state.executes && talk.backlog());
    state.has_input = state.executes || talk.make_input_room(input_view::read_bytes_max);
    if (state.executes) {
        give_up_overfull_wait(talk, lim);
        take_turn(talk, watch, lim, time);
        state.has_progressed = true;
    } else if (state.has_input) {
        const auto received = try_read(stream, talk.input().room(), ec);
        talk.input().commit(received);
        // A client that sends a byte now and then does not evade the time-out.
        state.bytes_read += received;
        state.has_progressed = state.bytes_read >= lim.input_bytes_steady;
        if (without_layers(stream, ec) == asio::error::eof) {
            state.has_input = false;
            ec.clear();
        }
    }
    return ec;
}

/// Sends what one write has left of the output. A client that writes a whole pipeline before it
/// reads takes no reply until it has sent everything, so its requests are read and executed
/// meanwhile, within the limits of `conversation::may_read_ahead`. Fails once neither side has made
/// progress for `lim.write_timeout`; an unauthenticated client has less time.
template <typename Stream>
task<asio::error_code> send_rest(
    Stream& stream, conversation& talk, const limits& lim, watched& watch, time_source& time) {
    const auto patience = talk.is_stranger() ? lim.stranger_write_timeout : lim.write_timeout;
    asio::error_code ec;
    read_ahead_state state;
    bool writable = is_writable(socket_of(stream));
    watch.expect(awaits::reader, patience);
    while (!ec && !talk.output().empty()) {
        if (writable) {
            const auto sent = try_write(stream, talk.output(), ec);
            talk.sent(sent);
            writable = false;
            state.has_progressed = sent > 0;
        } else {
            const bool wants_input = state.has_input && !watch.draining();
            const bool input_too = wants_input && talk.may_read_ahead();
            watch.begin_output(wants_input && !input_too);
            const auto ready = co_await async_ready(socket_of(stream), input_too, into(ec));
            watch.end_output();
            if (ec == asio::error::operation_aborted) {
                ec.clear();  // there may be memory now; if it was closed, the next wait fails
            } else if (!ec && ready == readiness::output) {
                writable = true;
            } else if (!ec) {
                ec = read_ahead(stream, talk, lim, watch, time, state);
            }
        }
        if (state.has_progressed) {
            watch.expect(awaits::reader, patience);
            state.has_progressed = false;
            state.bytes_read = 0;
        }
    }
    watch.expect_nothing();
    talk.end_read_ahead();
    co_return ec;
}

/// The last that is said, in a stream that has a word for it. The sweeper bounds the time, of what
/// follows, too.
template <typename Stream>
task<> part(Stream& stream, const limits& lim, watched& watch) {
    if constexpr (requires { say_goodbye(stream); }) {
        watch.expect(awaits::goodbye, lim.linger);
        co_await say_goodbye(stream);
    }
    watch.expect(awaits::leave, lim.linger);
    co_return;
}

/// Lets the peer read the last reply before the connection goes: a socket closed with unread input
/// resets the connection and destroys what is under way (RFC 2525, 2.17). Bounded in bytes, and by
/// the sweeper in time.
template <typename Stream>
task<> linger(Stream& stream, flat_buffer& input, const limits& lim, watched& watch) {
    co_await part(stream, lim, watch);
    end_output(stream);
    input.consume(input.size());
    asio::error_code ec;
    for (std::size_t total = 0; !ec && total < lim.linger_bytes_max;) {
        const auto room =
            asio::buffer(input.prepare(lim.input_bytes_initial), lim.input_bytes_initial);
        const auto received = co_await socket_of(stream).async_read_some(room, into(ec));
        total += received;
    }
}

/// Whether to wait for input before the conversation's next turn.
inline bool must_listen(conversation& talk, const limits& lim) {
    const bool overfull = give_up_overfull_wait(talk, lim);
    return !overfull && !talk.woken();
}

/// The end of a connection by the server's doing.
template <typename Stream>
task<> leave(Stream& stream, flat_buffer& input, const limits& lim, watched& watch) {
    if (watch.draining() && output_has_arrived(stream)) {
        co_await part(stream, lim, watch);
    } else {
        co_await linger(stream, input, lim, watch);
    }
}

/// Where a plain read may put what comes. Most requests come whole, and such a read has them for
/// less than async_read_until. Empty: a request has begun, or there is no memory; then it is for
/// async_read_until to bring the rest, or to fail.
inline asio::mutable_buffer room_for_whole_requests(conversation& talk) {
    if (talk.in_request() || !talk.make_input_room(input_view::read_bytes_max)) {
        return {};
    }
    const auto room = talk.input().room();
    return {room.data(), std::min(room.size(), input_view::read_bytes_max)};
}

/// Whether the connection is over after a wait for input. Who waits for a key and has closed only
/// their side of the connection gets an answer.
inline bool is_over(const asio::error_code& ec, conversation& talk, const watched& watch) {
    if (watch.missed() != awaits::nothing) {
        return true;  // also when bytes have arrived before the wait was cut short
    }
    if (!ec) {
        return false;
    }
    if (ec == asio::error::eof && talk.parked()) {
        talk.give_up_waiting();
        return false;
    }
    return !watch.draining() && !watch.is_to_tidy() && !talk.woken();
}

/// A wait for input begins, with the time that the client has for it.
inline void begin_input(conversation& talk, const limits& lim, watched& watch) {
    if (talk.parked()) {
        watch.begin_input(awaits::nothing, {}, talk.roomy());
    } else if (talk.who().administrative) {
        watch.begin_input(awaits::administration, lim.administration_timeout, talk.roomy());
    } else {
        watch.begin_input(awaits::request, lim.idle_timeout, talk.roomy());
    }
}

/// While the server stops: whether there is anything left to answer.
template <typename Stream>
bool has_last_words(Stream& stream, conversation& talk, const limits& lim, std::size_t& drained) {
    const bool waits = talk.parked();
    talk.give_up_waiting();
    const bool arrived = take_arrived(stream, talk.input(), lim, drained);
    return arrived || waits;
}

/// One connection, from its first byte to its last: read, act in the round, write. Ends when the
/// peer has gone, the conversation is over, or the watch says so; gives the error that ended it, if
/// one did. `Stream` is an async stream with the functions of net/stream.hpp that take one; it may
/// have a `say_goodbye(stream)` to await at the end, and a `Stream::is_end(error)` of its own.
template <typename Stream>
// NOLINTNEXTLINE(readability-function-cognitive-complexity): a connection's life, in one place
task<asio::error_code> serve(
    Stream& stream,
    conversation& talk,
    const limits& lim,
    watched& watch,
    time_source& time,
    rounds& round) {
    std::size_t drained = 0;
    bool input_ended = false;
    asio::error_code ec;
    while (talk.open()) {
        if (talk.backlog()) {
            // Reads nothing: its next turn is in the next round.
        } else if (input_ended) {
            if (!talk.parked()) {
                break;  // reading on behind the end may wait for ever
            }
            talk.give_up_waiting();
        } else if (watch.draining()) {
            if (!has_last_words(stream, talk, lim, drained)) {
                break;
            }
        } else if (must_listen(talk, lim)) {
            begin_input(talk, lim, watch);
            const request_arrived arrived(talk, watch, lim);
            ec.clear();
            const auto room = room_for_whole_requests(talk);
            if (room.size() > 0) {
                const auto received = co_await stream.async_read_some(room, into(ec));
                talk.input().commit(received);
            }
            if (!ec && !arrived.all()) {
                const input_view input(talk, lim.input_bytes_max());
                co_await asio::async_read_until(stream, input, arrived, into(ec));
            }
            watch.end_input();
            ec = without_layers(stream, ec);
            if (is_over(ec, talk, watch)) {
                if (ec == asio::error::eof) {
                    co_await part(stream, lim, watch);
                }
                co_return ec;
            }
            input_ended = ec == asio::error::eof;
            if (watch.is_to_tidy()) {
                talk.tidy();
            }
        }
        if (talk.backlog() || !talk.is_alone()) {
            // Others read and act meanwhile: the client may be roused, killed, or closed.
            talk.foresee();
            co_await round.to_act(talk.backlog());
        }
        take_turn(talk, watch, lim, time);
        const auto sent = try_write(stream, talk.output(), ec);
        talk.sent(sent);
        if (!ec && !talk.output().empty()) {
            ec = co_await send_rest(stream, talk, lim, watch, time);
        }
        if (ec) {
            co_return ec;
        }
        co_await round.to_read();
    }
    co_await leave(stream, talk.input(), lim, watch);
    co_return asio::error_code();
}

}  // namespace butterdb
