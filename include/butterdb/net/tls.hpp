#pragma once

#include <butterdb/base/budget_resource.hpp>
#include <butterdb/net/asio.hpp>
#include <butterdb/net/stream.hpp>
#include <butterdb/net/task.hpp>

#include <asio/compose.hpp>
#include <asio/post.hpp>
#include <asio/ssl/context.hpp>
#include <asio/ssl/error.hpp>

#include <openssl/ssl.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace butterdb {

/// Suites of TLS 1.2 with authenticated encryption and forward secrecy, in OpenSSL's words. Those
/// of TLS 1.3 all have both.
inline constexpr std::string_view modern_ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20";

/// What TLS is made of. Files are in PEM form; an empty path: none.
struct tls_files {
    std::string certificate;  ///< one's own, with those between it and the authority
    std::string key;          ///< of the certificate, not encrypted
    std::string authority;    ///< that must have signed the peer's certificate
    /// CRLs: the certificates that each authority of a client's certificate has revoked.
    std::string revocations;
    std::string ciphers{modern_ciphers};  ///< of TLS 1.2, in OpenSSL's words
};

/// Why TLS cannot be used: one line for people.
class tls_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// What a server's connections have in common: TLS 1.2 and above, no renegotiation, no compression.
/// With an authority, a client needs a certificate that the authority has signed for clients
/// (extendedKeyUsage clientAuth), and that is not revoked. Throws tls_error.
asio::ssl::context make_server_tls(const tls_files& files);

/// The same for a client. It accepts a server whose certificate is signed by the authority, or by
/// one that the system trusts; with `verify` false, any server. Throws tls_error.
asio::ssl::context make_client_tls(const tls_files& files, bool verify);

/// Has OpenSSL's memory counted, so that each `tls_stream` can be charged for its own. Call it
/// once, before OpenSSL is used; returns false, and nothing is counted, if OpenSSL has been used
/// already.
bool count_tls_memory() noexcept;

/// The server's side of a connection under TLS. OpenSSL works on the socket itself: Asio's own
/// stream keeps 68 KiB of buffers for each connection, and has no way to say the end in passing.
/// Serves as `Stream` of a session. There is no TLS object before `shake_hands`.
class tls_stream {
public:
    using executor_type = stream_socket::executor_type;

    /// What an operation waits for before it can go on.
    enum class wants { nothing, input, output };

    /// `context` outlives the stream; the handshake takes its certificates as they are by then.
    tls_stream(stream_socket socket, asio::ssl::context& context) noexcept
        : socket_(std::move(socket)), context_(&context) {}

    /// True of a peer that closed without close_notify. That is no attack on requests, which say
    /// where they end.
    static bool is_end(const asio::error_code& ec) {
        return ec == asio::ssl::error::stream_truncated;
    }

    executor_type get_executor() noexcept { return socket_.get_executor(); }
    stream_socket& socket() noexcept { return socket_; }

    /// Charges what OpenSSL allocates for the stream to `owner`, from now on; null: to none.
    void charge_to(budget_resource* owner) noexcept;

    /// Does what can be done of the handshake. Call it again when what it wants is there.
    wants shake_hands(asio::error_code& ec);

    /// Why the handshake failed with `ec`, for people.
    std::string describe(const asio::error_code& ec) const;

    /// Reads what has arrived into `room`, up to one record.
    wants read(std::span<char> room, std::size_t& received, asio::error_code& ec);

    /// Writes what the socket takes of `bytes`. If it takes none, the next call has to begin with
    /// the same bytes.
    wants write(std::string_view bytes, std::size_t& sent, asio::error_code& ec);

    /// Sends close_notify, unless part of a record is still to be sent; waits for nothing.
    wants end_records() noexcept;

    /// Sends close_notify if that does not block, frees what TLS holds, and closes the socket. Ends
    /// pending operations.
    void close(asio::error_code& ec);

    /// Ends pending operations.
    void cancel(asio::error_code& ec) { socket_.cancel(ec); }

    template <typename Token>
    auto async_read_some(asio::mutable_buffer room, Token&& token) {
        return transfer(
            [this, room](std::size_t& received, asio::error_code& ec) {
                return read({static_cast<char*>(room.data()), room.size()}, received, ec);
            },
            std::forward<Token>(token));
    }

    template <typename Token>
    auto async_write_some(asio::const_buffer bytes, Token&& token) {
        return transfer(
            [this, bytes](std::size_t& sent, asio::error_code& ec) {
                return write({static_cast<const char*>(bytes.data()), bytes.size()}, sent, ec);
            },
            std::forward<Token>(token));
    }

private:
    struct free_tls {
        void operator()(SSL* tls) const noexcept { ::SSL_free(tls); }
    };

    template <typename Attempt>
    class transfer_operation;

    template <typename Attempt, typename Token>
    auto transfer(Attempt attempt, Token&& token) {
        return asio::async_compose<Token, void(asio::error_code, std::size_t)>(
            transfer_operation<Attempt>(*this, std::move(attempt)), token, socket_);
    }

    template <typename Act>
    wants perform(asio::error_code& ec, Act act);
    wants outcome(int result, asio::error_code& ec);
    void recharge(std::int64_t more) noexcept;

    stream_socket socket_;
    asio::ssl::context* context_;
    std::unique_ptr<SSL, free_tls> tls_;  // null: before the handshake, and once closed
    budget_resource* owner_ = nullptr;
    std::int64_t held_ = 0;  // bytes of OpenSSL's, charged to the owner
    bool has_failed_ = false;
};

/// Attempts a read or write until it moves bytes or fails, and waits for the socket meanwhile.
template <typename Attempt>
class tls_stream::transfer_operation {
public:
    transfer_operation(tls_stream& stream, Attempt attempt)
        : stream_(&stream), attempt_(std::move(attempt)) {}

    template <typename Self>
    void operator()(Self& self, asio::error_code ec = {}) {
        if (is_done_) {
            self.complete(failure_, moved_);
            return;
        }
        failure_ = ec;
        const auto next = ec ? wants::nothing : attempt_(moved_, failure_);
        const bool is_first = !std::exchange(has_begun_, true);
        if (next != wants::nothing) {
            const auto event =
                next == wants::input ? stream_socket::wait_read : stream_socket::wait_write;
            stream_->socket_.async_wait(event, std::move(self));
        } else if (is_first) {
            is_done_ = true;  // a handler is never called from where its operation begins
            asio::post(stream_->get_executor(), std::move(self));
        } else {
            self.complete(failure_, moved_);
        }
    }

private:
    tls_stream* stream_;
    Attempt attempt_;
    std::size_t moved_ = 0;
    asio::error_code failure_;
    bool has_begun_ = false;
    bool is_done_ = false;
};

inline stream_socket& socket_of(tls_stream& stream) {
    return stream.socket();
}

inline void prepare_stream(tls_stream& stream) {
    prepare_stream(stream.socket());
}

inline std::size_t try_write(tls_stream& stream, std::string_view bytes, asio::error_code& ec) {
    std::size_t sent = 0;
    ec.clear();
    stream.write(bytes, sent, ec);
    return sent;
}

inline std::size_t try_read(tls_stream& stream, std::span<char> room, asio::error_code& ec) {
    std::size_t received = 0;
    ec.clear();
    stream.read(room, received, ec);
    return received;
}

inline bool output_has_arrived(tls_stream& stream) {
    return output_has_arrived(stream.socket());
}

inline void set_user_timeout(tls_stream& stream, std::chrono::seconds span) noexcept {
    set_user_timeout(stream.socket(), span);
}

inline void end_output(tls_stream& stream) {
    end_output(stream.socket());
}

/// Waits for the first byte from the client, which stays in the socket.
task<asio::error_code> await_first_byte(tls_stream& stream);

/// Waits for what an operation wants.
task<asio::error_code> await_event(tls_stream& stream, tls_stream::wants what);

/// Tells the peer that the end of the replies is the end, and not a cut connection. Does not wait
/// for the peer to say the same.
task<> say_goodbye(tls_stream& stream);

}  // namespace butterdb
