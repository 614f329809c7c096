#pragma once

#include "support/pending.hpp"
#include <butterdb/net/asio.hpp>
#include <butterdb/net/readiness.hpp>
#include <butterdb/net/task.hpp>

#include <asio/async_result.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace butterdb::test {

/// What happens on a stream, and what came of it.
struct stream_script {
    std::deque<std::string> reads;           ///< one read gives one of them, or a part
    bool ends = true;                        ///< then comes the end of input; else nothing comes
    std::size_t write_bytes_max = 1000;      ///< that one write takes; 0: none, until `feed`
    std::size_t try_write_bytes_max = 1000;  ///< the same before the stream is known to be ready
    std::size_t fail_at = 0;                 ///< the number of the I/O step that fails; 0: none
    asio::error_code failure = asio::error::connection_reset;

    std::size_t steps = 0;
    std::string written;
    bool output_ended = false;
    bool is_heard = false;  // the peer has all that was written
};

/// An async stream that plays a script. Every operation completes through the io_context.
class scripted_stream {
public:
    using executor_type = executor;

    scripted_stream(asio::io_context& io, stream_script& script) : io_(io), script_(script) {}

    executor_type get_executor() { return io_.get_executor(); }

    template <typename Buffers, typename Token>
    auto async_read_some(const Buffers& buffers, Token&& token) {
        const asio::mutable_buffer room = *asio::buffer_sequence_begin(buffers);
        return asio::async_initiate<Token, void(asio::error_code, std::size_t)>(
            [this, room](auto handler) {
                room_ = room;
                read_.hold(io_, std::move(handler));
                feed();
            },
            token);
    }

    template <typename Token>
    auto async_wait_ready(bool input_too, Token&& token) {
        return asio::async_initiate<Token, void(asio::error_code, readiness)>(
            [this, input_too](auto handler) {
                awaits_input_ = input_too;
                ready_.hold(io_, std::move(handler));
                feed();
            },
            token);
    }
    friend auto async_ready(scripted_stream& stream, bool input_too, into token) {
        return stream.async_wait_ready(input_too, token);
    }

    /// There may be more to read, or room to write.
    void feed() {
        if (is_closed_) {
            if (ready_) {
                ready_.complete(asio::error::bad_descriptor, readiness::output);
            }
        } else if (ready_ && script_.write_bytes_max > 0) {
            is_ready_to_write_ = true;
            ready_.complete({}, readiness::output);
        } else if (ready_ && awaits_input_ && (script_.ends || !script_.reads.empty())) {
            ready_.complete({}, readiness::input);
        }
        if (read_ && (script_.ends || !script_.reads.empty())) {
            const auto [ec, count] = read(room_);
            read_.complete(ec, count);
        }
    }

    void close(asio::error_code& ec) {
        is_closed_ = true;
        cancel(ec);
    }
    void cancel(asio::error_code& ec) {
        ec.clear();
        if (read_) {
            read_.complete(asio::error::operation_aborted, 0);
        }
        if (ready_) {
            ready_.complete(asio::error::operation_aborted, readiness::output);
        }
    }

    friend std::size_t try_write(
        scripted_stream& stream, std::string_view bytes, asio::error_code& ec) {
        ec.clear();
        if (bytes.empty()) {
            return 0;
        }
        const auto& script = stream.script_;
        const auto outcome = stream.write(
            asio::buffer(bytes),
            stream.is_ready_to_write_ ? script.write_bytes_max : script.try_write_bytes_max);
        stream.is_ready_to_write_ = false;
        ec = outcome.first;
        return outcome.second;
    }

    friend std::size_t try_read(
        scripted_stream& stream, std::span<char> room, asio::error_code& ec) {
        const auto outcome = stream.read(asio::buffer(room.data(), room.size()));
        ec = outcome.first;
        return outcome.second;
    }

    friend void set_user_timeout(scripted_stream&, std::chrono::seconds) {}

    friend std::size_t bytes_available(scripted_stream& stream) {
        return stream.script_.reads.empty() ? 0 : stream.script_.reads.front().size();
    }

    friend bool has_left(scripted_stream& stream) {
        return stream.script_.ends && stream.script_.reads.empty();
    }

    friend bool is_writable(scripted_stream& stream) {
        stream.is_ready_to_write_ = stream.script_.write_bytes_max > 0;
        return stream.is_ready_to_write_;
    }

    friend scripted_stream& socket_of(scripted_stream& stream) { return stream; }

    friend bool output_has_arrived(scripted_stream& stream) { return stream.script_.is_heard; }

    friend void end_output(scripted_stream& stream) { stream.script_.output_ended = true; }

private:
    using outcome = std::pair<asio::error_code, std::size_t>;

    bool fails() { return ++script_.steps == script_.fail_at; }

    outcome read(asio::mutable_buffer room) {
        if (fails()) {
            return {script_.failure, 0};
        }
        if (script_.reads.empty()) {
            return {asio::error::eof, 0};
        }
        auto& piece = script_.reads.front();
        const auto count = std::min(piece.size(), room.size());
        std::memcpy(room.data(), piece.data(), count);
        piece.erase(0, count);
        if (piece.empty()) {
            script_.reads.pop_front();
        }
        return {{}, count};
    }

    outcome write(asio::const_buffer bytes, std::size_t bytes_max) {
        if (fails()) {
            return {script_.failure, 0};
        }
        const auto count = std::min(bytes.size(), bytes_max);
        script_.written.append(static_cast<const char*>(bytes.data()), count);
        return {{}, count};
    }

    asio::io_context& io_;
    stream_script& script_;
    asio::mutable_buffer room_;
    pending<std::size_t> read_;
    pending<readiness> ready_;
    bool awaits_input_ = false;       // ready_ does
    bool is_ready_to_write_ = false;  // the next write takes `write_bytes_max`
    bool is_closed_ = false;
};

}  // namespace butterdb::test
