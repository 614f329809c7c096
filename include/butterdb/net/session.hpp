#pragma once

#include <butterdb/conversation/conversation.hpp>
#include <butterdb/net/asio.hpp>

#include <asio/post.hpp>
#include <asio/read_until.hpp>
#include <asio/write.hpp>

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string_view>
#include <utility>

namespace butterdb {

/// Lets Asio append to a flat_buffer: a DynamicBuffer_v2, a view that is cheap to copy.
class flat_buffer_view {
public:
    using const_buffers_type = asio::const_buffer;
    using mutable_buffers_type = asio::mutable_buffer;

    flat_buffer_view(flat_buffer& bytes, std::size_t size_max) noexcept
        : bytes_(&bytes), size_max_(size_max) {}

    std::size_t size() const noexcept { return bytes_->size(); }
    std::size_t max_size() const noexcept { return size_max_; }
    std::size_t capacity() const noexcept { return std::min(bytes_->capacity(), size_max_); }

    const_buffers_type data(std::size_t at, std::size_t count) const noexcept {
        const auto part = std::as_const(*bytes_).view().substr(at, count);
        return {part.data(), part.size()};
    }
    mutable_buffers_type data(std::size_t at, std::size_t count) noexcept {
        const auto part = bytes_->bytes().subspan(at);
        return {part.data(), std::min(count, part.size())};
    }

    void grow(std::size_t count) {
        bytes_->prepare(count);
        bytes_->commit(count);
    }
    void shrink(std::size_t count) noexcept { bytes_->drop_back(count); }
    void consume(std::size_t count) noexcept { bytes_->consume(count); }

private:
    flat_buffer* bytes_;
    std::size_t size_max_;
};

/// Match condition of async_read_until: stop reading once the conversation has something to do, or
/// the session has to end.
template <typename Watch>
class request_arrived {
public:
    request_arrived(conversation& talk, const Watch& watch) noexcept
        : talk_(&talk), watch_(&watch) {}

    template <typename Iterator>
    std::pair<Iterator, bool> operator()(Iterator begin, Iterator end) const {
        const auto searched = talk_->input().size() - static_cast<std::size_t>(end - begin);
        return {end, talk_->is_ready(searched) || watch_->draining()};
    }

private:
    conversation* talk_;
    const Watch* watch_;
};

}  // namespace butterdb

template <typename Watch>
struct asio::is_match_condition<butterdb::request_arrived<Watch>> : std::true_type {};

namespace butterdb {

/// Writes what the kernel takes at once; 0 bytes when it takes none, which is no error.
inline std::size_t try_write(stream_socket& stream, std::string_view bytes, asio::error_code& ec) {
    const auto written = stream.write_some(asio::buffer(bytes), ec);
    if (ec == asio::error::would_block || ec == asio::error::try_again) {
        ec.clear();
    }
    return written;
}

/// Reads what has arrived; 0 bytes when there is nothing, or no more to come.
inline std::size_t try_read(stream_socket& stream, std::span<char> room) {
    asio::error_code ec;
    return stream.read_some(asio::buffer(room.data(), room.size()), ec);
}

/// True when the peer's machine has acknowledged all that was written: closing can then destroy
/// nothing.
inline bool output_has_arrived(stream_socket& stream) {
    int unacknowledged = 0;
    return ::ioctl(stream.native_handle(), SIOCOUTQ, &unacknowledged) == 0 && unacknowledged == 0;
}

/// Says that nothing more will be written.
inline void end_output(stream_socket& stream) {
    asio::error_code ignored;
    stream.shutdown(asio::socket_base::shutdown_send, ignored);
}

/// Appends what has arrived, up to the room of one read. False when that is nothing, or when
/// `total` bytes, to which it is added, are enough.
template <typename Stream>
bool take_arrived(Stream& stream, flat_buffer& input, const limits& lim, std::size_t& total) {
    char* const room = input.prepare(lim.input_bytes_steady);
    const auto received = try_read(stream, {room, lim.input_bytes_steady});
    input.commit(received);
    total += received;
    return received > 0 && total <= lim.drain_bytes_max;
}

/// Sends what one write has left of the output. The peer may stall no longer than
/// `lim.write_stall`.
template <typename Stream, typename Watch>
awaitable<asio::error_code> send_rest(
    Stream& stream, conversation& talk, const limits& lim, Watch& watch) {
    asio::error_code ec;
    while (!ec && !talk.output().empty()) {
        watch.expect_within(lim.write_stall);
        const auto unsent = asio::buffer(talk.output());
        const auto sent = co_await stream.async_write_some(unsent, into(ec));
        talk.sent(sent);
    }
    co_return ec;
}

/// Lets the peer read the last reply before the connection goes: a socket closed with unread input
/// resets the connection and destroys what is under way (RFC 2525, 2.17). Bounded in bytes, and by
/// the sweeper in time.
template <typename Stream, typename Watch>
awaitable<> linger(Stream& stream, flat_buffer& input, const limits& lim, Watch& watch) {
    end_output(stream);
    watch.expect_within(lim.linger);
    input.consume(input.size());
    asio::error_code ec;
    for (std::size_t total = 0; !ec && total < lim.linger_bytes_max;) {
        const auto room =
            asio::buffer(input.prepare(lim.input_bytes_initial), lim.input_bytes_initial);
        const auto received = co_await stream.async_read_some(room, into(ec));
        total += received;
    }
}

/// Whether to wait for input before the conversation's next turn. One that is parked listens too,
/// until so much has come that it must be told that it waited in vain.
inline bool must_listen(conversation& talk, const limits& lim) {
    const bool overfull = talk.parked() && talk.input().size() > lim.line_bytes_max;
    if (overfull) {
        talk.give_up_waiting();
    }
    return !overfull && !talk.woken();
}

/// Whether the connection is over after a wait for input. Who waits for a key and has closed only
/// their side of the connection gets an answer.
template <typename Watch>
bool is_over(const asio::error_code& ec, conversation& talk, const Watch& watch) {
    if (ec == asio::error::eof && talk.parked()) {
        talk.give_up_waiting();
        return false;
    }
    return ec && !watch.draining() && !talk.woken();
}

/// While the server stops: whether there is anything left to answer.
template <typename Stream>
bool has_last_words(Stream& stream, conversation& talk, const limits& lim, std::size_t& drained) {
    const bool waits = talk.parked();
    talk.give_up_waiting();
    const bool arrived = take_arrived(stream, talk.input(), lim, drained);
    return arrived || waits;
}

/// One connection, from its first byte to its last: read, act, write. Ends when the peer has gone,
/// the conversation is over, or the watch says so; gives the error that ended it, if one did.
/// `now` gives the wall-clock time. `Stream` is an async stream with `try_read`, `try_write`,
/// `output_has_arrived` and `end_output`; `Watch` has what `watched` has.
template <typename Stream, typename Watch, typename Clock>
// NOLINTNEXTLINE(readability-function-cognitive-complexity): a connection's life, in one place
awaitable<asio::error_code> serve(
    Stream& stream, conversation& talk, const limits& lim, Watch& watch, Clock now) {
    const std::chrono::seconds no_timeout(0);
    // The conversation takes what is too long off its input before it comes so far.
    const auto input_bytes_max = 2 * lim.request_bytes_max();
    std::size_t drained = 0;
    bool input_ended = false;
    asio::error_code ec;
    while (talk.open()) {
        if (talk.backlog()) {
            co_await asio::post(use_awaitable);  // the others' turn
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
            watch.expect_input_within(talk.parked() ? no_timeout : lim.idle_timeout);
            const flat_buffer_view input(talk.input(), input_bytes_max);
            const request_arrived<Watch> arrived(talk, watch);
            co_await asio::async_read_until(stream, input, arrived, into(ec));
            watch.got_input();
            if (is_over(ec, talk, watch)) {
                co_return ec;
            }
            input_ended = ec == asio::error::eof;
        }
        talk.receive(now());
        const auto sent = try_write(stream, talk.output(), ec);
        talk.sent(sent);
        if (!ec && !talk.output().empty()) {
            ec = co_await send_rest(stream, talk, lim, watch);
        }
        if (ec) {
            co_return ec;
        }
    }
    if (watch.draining() && output_has_arrived(stream)) {
        co_return asio::error_code();
    }
    co_await linger(stream, talk.input(), lim, watch);
    co_return asio::error_code();
}

}  // namespace butterdb
