#pragma once

#include "support/choices.hpp"
#include "support/pending.hpp"
#include <butterdb/net/asio.hpp>
#include <butterdb/net/readiness.hpp>
#include <butterdb/net/stream.hpp>
#include <butterdb/net/task.hpp>

#include <asio/async_result.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace butterdb::test::sim {

/// One simulated connection, seen from both sides. Nothing moves by itself: `act` takes one step,
/// which the choices pick.
///
///     client -> inbound -> server       what the server has not read
///     server -> outbound -> client      the first `acknowledged` bytes have reached its machine
class link {
public:
    link(asio::io_context& io, choices& choose, std::uint64_t number)
        : io_(io), choose_(choose), number_(number) {}
    link(const link&) = delete;
    link& operator=(const link&) = delete;

    // The client's side.

    void send(std::string_view bytes);
    /// Bytes that can be sent before sending blocks.
    std::size_t sendable() const {
        return inbound_window - std::min(inbound_window, inbound_.size());
    }
    /// No more will be sent; the client reads on.
    void end_sending() { inbound_ended_ = true; }
    /// The client is gone: what is under way is lost.
    void reset();
    /// Some bytes that have arrived, perhaps none.
    std::string receive();
    /// True when all has been received that ever will be.
    bool at_end() const { return (outbound_ended_ || reset_) && outbound_.empty(); }
    bool something_to_receive() const { return acknowledged_ > 0; }

    // The server's side.

    std::size_t space() const { return window - std::min(window, outbound_.size()); }
    std::size_t unread() const { return inbound_.size(); }
    std::size_t write_now(std::string_view bytes, asio::error_code& ec);
    std::size_t read_now(std::span<char> room);
    bool has_left() const { return reset_ || inbound_ended_; }
    void end_output() { outbound_ended_ = true; }
    bool all_acknowledged() const { return acknowledged_ == outbound_.size(); }

    /// Lets something happen between the two sides: bytes arrive, an operation of the server
    /// completes. False when there is nothing that could.
    bool act();

    /// The server's operations do not complete until then; it is called again and again.
    std::function<bool()> is_paused = [] { return false; };
    /// The replies of a turn, before they are written; then nothing else of the server runs.
    std::function<void(std::string_view bytes)> on_turn = [](std::string_view) {};
    /// So many bytes have come into the server's hands.
    std::function<void(std::size_t bytes)> on_read = [](std::size_t) {};
    /// The server closes the socket of a session that goes on.
    std::function<void()> on_cut = [] {};
    /// The server's end is gone.
    std::function<void()> on_gone = [] {};

    std::size_t window = 65'536;  ///< bytes that wait for the client at most
    /// Bytes that wait for the server before the client's sending blocks.
    std::size_t inbound_window = UINT64_MAX;

    // What came of it.
    std::uint64_t number() const { return number_; }
    std::uint64_t produced() const { return produced_; }  ///< bytes of all turns
    std::uint64_t written() const { return written_; }    ///< those that were written
    std::uint64_t lost() const { return lost_; }  ///< written, and destroyed by the server's close
    bool was_reset() const { return reset_; }
    bool is_gone() const { return gone_; }
    bool has_ended_output() const { return outbound_ended_; }

private:
    friend class stream;

    using outcome = std::pair<asio::error_code, std::size_t>;

    bool act_for_reader();
    bool act_for_readiness();
    bool acknowledge();
    std::size_t take_inbound(std::span<char> room);
    std::size_t take_outbound(std::string_view bytes, std::size_t least);
    void close_server_side();
    void abort_operations();

    asio::io_context& io_;
    choices& choose_;
    std::uint64_t number_;

    std::string inbound_;
    bool inbound_ended_ = false;
    std::string outbound_;
    std::size_t acknowledged_ = 0;
    bool outbound_ended_ = false;
    bool reset_ = false;
    bool closed_ = false;
    bool gone_ = false;

    pending<std::size_t> read_;
    std::span<char> room_;
    pending<readiness> ready_;
    bool awaits_input_ = false;  // ready_ does

    std::uint64_t produced_ = 0;
    std::uint64_t written_ = 0;
    std::uint64_t lost_ = 0;
};

/// The server's end of a link.
class stream {
public:
    using executor_type = executor;

    stream() = default;
    explicit stream(std::shared_ptr<link> to) : link_(std::move(to)) {}
    stream(stream&&) = default;
    stream& operator=(stream&& other) noexcept {
        release();
        link_ = std::move(other.link_);
        return *this;
    }
    ~stream() { release(); }

    executor_type get_executor() const { return link_->io_.get_executor(); }

    template <typename Buffers, typename Token>
    auto async_read_some(const Buffers& buffers, Token&& token) {
        const asio::mutable_buffer room = *asio::buffer_sequence_begin(buffers);
        return asio::async_initiate<Token, void(asio::error_code, std::size_t)>(
            [this, room](auto handler) {
                link_->room_ = {static_cast<char*>(room.data()), room.size()};
                link_->read_.hold(link_->io_, std::move(handler));
                complete_if_closed(link_->read_);
            },
            token);
    }

    template <typename Token>
    auto async_wait_ready(bool input_too, Token&& token) {
        return asio::async_initiate<Token, void(asio::error_code, readiness)>(
            [this, input_too](auto handler) {
                link_->awaits_input_ = input_too;
                link_->ready_.hold(link_->io_, std::move(handler));
                complete_if_closed(link_->ready_);
            },
            token);
    }

    void close(asio::error_code& ec);
    void cancel(asio::error_code& ec);

    friend auto async_ready(stream& each, bool input_too, into token) {
        return each.async_wait_ready(input_too, token);
    }
    friend bool is_writable(stream& each) { return each.link_->space() > 0; }
    friend std::size_t bytes_available(stream& each) { return each.link_->unread(); }
    friend bool has_left(stream& each) { return each.link_->has_left(); }
    friend stream& socket_of(stream& each) { return each; }
    friend void prepare_stream(stream&) { on_prepare(); }
    friend std::string peer_address(stream& each) { return std::to_string(each.link_->number()); }
    friend std::size_t try_write(stream& each, std::string_view bytes, asio::error_code& ec) {
        return each.link_->write_now(bytes, ec);
    }
    friend std::size_t try_read(stream& each, std::span<char> room, asio::error_code& ec) {
        ec.clear();
        return each.link_->read_now(room);
    }
    friend bool output_has_arrived(stream& each) { return each.link_->all_acknowledged(); }
    friend peer_origin origin_of(stream& each) { return {each.link_->number(), false}; }
    friend void set_user_timeout(stream&, std::chrono::seconds) {}
    friend void end_output(stream& each) { each.link_->end_output(); }

    /// Called when the server has taken a connection and is about to serve it.
    static inline std::function<void()> on_prepare = [] {};

private:
    template <typename Result>
    void complete_if_closed(pending<Result>& operation) {
        if (link_->closed_) {
            operation.complete(asio::error::bad_descriptor, Result());
        }
    }
    void release() noexcept;

    std::shared_ptr<link> link_;
};

/// Where simulated clients come in.
class acceptor {
public:
    acceptor(asio::io_context& io, choices& choose) : io_(io), choose_(choose) {}

    template <typename Token>
    auto async_accept(Token&& token) {
        return asio::async_initiate<Token, void(asio::error_code, stream)>(
            [this](auto handler) {
                accept_.hold(io_, std::move(handler));
                if (!open_) {
                    accept_.complete(asio::error::operation_aborted, stream());
                }
            },
            token);
    }

    stream accept(asio::error_code& ec);
    bool is_open() const { return open_; }
    void close(asio::error_code& ec);

    /// A client comes; it is refused when nobody listens any more.
    void connect(std::shared_ptr<link> client);
    /// Completes the accept that waits, if there is a client or, when `may_fail`, with an error.
    bool act(bool may_fail);
    std::uint64_t failures() const { return failures_; }

private:
    asio::io_context& io_;
    choices& choose_;
    bool open_ = true;
    std::uint64_t failures_ = 0;
    std::deque<std::shared_ptr<link>> backlog_;
    pending<stream> accept_;
};

}  // namespace butterdb::test::sim
