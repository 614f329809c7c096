#pragma once

#include <butterdb/net/asio.hpp>

#include <asio/async_result.hpp>

#include <memory>
#include <optional>
#include <utility>

namespace butterdb {

/// What a socket has become ready for.
enum class readiness {
    output,  ///< bytes can be written
    input,   ///< bytes, or the end of the input, can be read
};

/// One wait for a socket to become ready, in one of two ways. Asio waits for each in an operation
/// of its own; the first that completes cancels the other, and the handler is called after both.
template <typename Handler>
class ready_wait : public std::enable_shared_from_this<ready_wait<Handler>> {
public:
    ready_wait(stream_socket& socket, Handler handler)
        : socket_(socket), handler_(std::move(handler)) {}

    /// Throws std::bad_alloc; the handler is then destroyed without a call.
    void start(bool input_too) {
        try {
            if (input_too) {
                begin(stream_socket::wait_read, readiness::input);
            }
            begin(stream_socket::wait_write, readiness::output);
        } catch (...) {
            handler_.reset();
            cancel();
            throw;
        }
    }

private:
    void begin(stream_socket::wait_type kind, readiness when_done) {
        auto done = [self = this->shared_from_this(), when_done](const asio::error_code& ec) {
            self->end(ec, when_done);
        };
        socket_.async_wait(kind, std::move(done));
        ++waits_;
    }

    void end(const asio::error_code& ec, readiness when_done) {
        --waits_;
        if (!handler_) {
            return;
        }
        if (ec) {
            error_ = ec;
        } else if (!ready_ || when_done == readiness::output) {
            ready_ = when_done;
        }
        if (waits_ != 0) {
            cancel();
            return;
        }
        auto handler = std::move(*handler_);
        handler_.reset();
        const auto failed = ready_ ? asio::error_code() : error_;
        std::move(handler)(failed, ready_.value_or(readiness::output));
    }

    void cancel() {
        asio::error_code ignored;
        socket_.cancel(ignored);
    }

    stream_socket& socket_;
    std::optional<Handler> handler_;
    int waits_ = 0;
    std::optional<readiness> ready_;
    asio::error_code error_;
};

/// Waits until `socket` can be written to or, if `input_too`, read from; when it can do both, the
/// result is `readiness::output`. No other operation of the socket may be pending: it would be
/// cancelled. Completes with void(asio::error_code, readiness).
template <typename Token>
auto async_ready(stream_socket& socket, bool input_too, Token&& token) {
    return asio::async_initiate<Token, void(asio::error_code, readiness)>(
        [&socket, input_too](auto handler) {
            using wait = ready_wait<decltype(handler)>;
            std::make_shared<wait>(socket, std::move(handler))->start(input_too);
        },
        token);
}

}  // namespace butterdb
