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
    tls_stream(stream_socket socket, asio::ssl::context& context) noexcept;
    tls_stream(tls_stream&&) noexcept;
    tls_stream& operator=(tls_stream&&) = delete;
    ~tls_stream();

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

    /// Writes as much of `bytes` as fits into the socket's buffer with all of its records. If less
    /// than one record fits, `sent` is 0, and the next call has to begin with the same bytes.
    wants write(std::string_view bytes, std::size_t& sent, asio::error_code& ec);

    /// Sends close_notify, once; waits for nothing. Call it again when what it wants is there.
    wants end_records() noexcept;

    /// Sends close_notify if that does not block, frees what TLS holds, and closes the socket. Ends
    /// pending operations.
    void close(asio::error_code& ec);

    /// Ends pending operations.
    void cancel(asio::error_code& ec) { socket_.cancel(ec); }

    template <typename Token>
    auto async_read_some(asio::mutable_buffer room, Token&& token);

private:
    struct free_tls {
        void operator()(SSL* tls) const noexcept { ::SSL_free(tls); }
    };

    class read_operation;
    class record_sink;

    template <typename Act>
    wants perform(asio::error_code& ec, Act act);
    wants outcome(int result, asio::error_code& ec);
    bool prepare_tls();
    bool flush(asio::error_code& ec);
    void recharge(std::int64_t more) noexcept;

    stream_socket socket_;
    asio::ssl::context* context_;
    std::unique_ptr<record_sink> sink_;   // what OpenSSL writes to
    std::unique_ptr<SSL, free_tls> tls_;  // null: before the handshake, and once closed
    std::size_t encrypted_ = 0;           // bytes of the next write whose record is not sent yet
    bool has_said_end_ = false;           // close_notify is encrypted
    budget_resource* owner_ = nullptr;
    std::int64_t held_ = 0;  // bytes of OpenSSL's, charged to the owner
    bool has_failed_ = false;
};

/// Attempts a read until it has bytes or fails, and waits for the socket meanwhile.
class tls_stream::read_operation {
public:
    read_operation(tls_stream& stream, asio::mutable_buffer room) : stream_(&stream), room_(room) {}

    template <typename Self>
    void operator()(Self& self, asio::error_code ec = {}) {
        if (is_done_) {
            self.complete(failure_, received_);
            return;
        }
        failure_ = ec;
        const std::span<char> room(static_cast<char*>(room_.data()), room_.size());
        const auto next = ec ? wants::nothing : stream_->read(room, received_, failure_);
        const bool is_first = !std::exchange(has_begun_, true);
        if (next != wants::nothing) {
            const auto event =
                next == wants::input ? stream_socket::wait_read : stream_socket::wait_write;
            stream_->socket_.async_wait(event, std::move(self));
        } else if (is_first) {
            is_done_ = true;  // a handler is never called from where its operation begins
            asio::post(stream_->get_executor(), std::move(self));
        } else {
            self.complete(failure_, received_);
        }
    }

private:
    tls_stream* stream_;
    asio::mutable_buffer room_;
    std::size_t received_ = 0;
    asio::error_code failure_;
    bool has_begun_ = false;
    bool is_done_ = false;
};

template <typename Token>
auto tls_stream::async_read_some(asio::mutable_buffer room, Token&& token) {
    return asio::async_compose<Token, void(asio::error_code, std::size_t)>(
        read_operation(*this, room), token, socket_);
}

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
