#pragma once

#include <butterdb/net/asio.hpp>

#include <asio/async_result.hpp>
#include <asio/post.hpp>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace butterdb::test {

/// What happens on a stream, and what came of it.
struct stream_script {
    std::vector<std::string> reads;      ///< one read gives one of them; then the end of input
    std::size_t write_bytes_max = 1000;  ///< that one write takes
    std::size_t try_write_bytes_max = 1000;
    std::size_t fail_at = 0;  ///< the number of the I/O step that fails; 0: none
    asio::error_code failure = asio::error::connection_reset;

    std::size_t steps = 0;
    std::size_t next_read = 0;
    std::string written;
    bool output_ended = false;
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
        return complete(read(room), std::forward<Token>(token));
    }

    template <typename Buffers, typename Token>
    auto async_write_some(const Buffers& buffers, Token&& token) {
        const asio::const_buffer bytes = *asio::buffer_sequence_begin(buffers);
        return complete(write(bytes, script_.write_bytes_max), std::forward<Token>(token));
    }

    friend std::size_t try_write(
        scripted_stream& stream, std::string_view bytes, asio::error_code& ec) {
        ec.clear();
        if (bytes.empty()) {
            return 0;
        }
        const auto outcome = stream.write(asio::buffer(bytes), stream.script_.try_write_bytes_max);
        ec = outcome.first;
        return outcome.second;
    }

    friend std::size_t try_read(scripted_stream& stream, std::span<char> room) {
        return stream.read(asio::buffer(room.data(), room.size())).second;
    }

    friend bool output_has_arrived(scripted_stream&) { return false; }

    friend void end_output(scripted_stream& stream) { stream.script_.output_ended = true; }

private:
    using outcome = std::pair<asio::error_code, std::size_t>;

    bool fails() { return ++script_.steps == script_.fail_at; }

    outcome read(asio::mutable_buffer room) {
        if (fails()) {
            return {script_.failure, 0};
        }
        if (script_.next_read == script_.reads.size()) {
            return {asio::error::eof, 0};
        }
        auto& piece = script_.reads[script_.next_read];
        const auto count = std::min(piece.size(), room.size());
        std::memcpy(room.data(), piece.data(), count);
        piece.erase(0, count);
        script_.next_read += piece.empty() ? 1U : 0U;
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

    template <typename Token>
    auto complete(outcome result, Token&& token) {
        return asio::async_initiate<Token, void(asio::error_code, std::size_t)>(
            [this, result](auto handler) {
                asio::post(io_, [handler = std::move(handler), result]() mutable {
                    std::move(handler)(result.first, result.second);
                });
            },
            token);
    }

    asio::io_context& io_;
    stream_script& script_;
};

}  // namespace butterdb::test
