#pragma once

#include <butterdb/base/flat_buffer.hpp>
#include <butterdb/base/limits.hpp>
#include <butterdb/net/asio.hpp>
#include <butterdb/net/sweeper.hpp>
#include <butterdb/net/task.hpp>
#include <butterdb/net/tls.hpp>
#include <butterdb/protocol/reply_reader.hpp>

#include <asio/ssl/stream.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace butterdb {

/// Where a server listens, and what it wants to know.
struct server_address {
    std::string host = "localhost";
    std::uint16_t port = 9090;
    std::string unix_socket;  ///< a path; when given, host and port do not count
    std::string password;     ///< empty: none
    bool tls = false;
    tls_files files;            ///< of TLS: one's own certificate, and the server's authority
    bool verify_server = true;  ///< under TLS: its certificate must be good, and bear its name
};

/// `localhost:9090` or `unix:/run/butterdb.sock`.
std::string name_of(const server_address& where);

/// What connections to one server have in common.
class server_access {
public:
    /// Finds the endpoints, and reads the files of TLS. Throws asio::system_error when the name is
    /// not known, and tls_error. Blocks.
    explicit server_access(const server_address& where);

    const server_address& where() const noexcept { return where_; }
    const std::vector<stream_socket::endpoint_type>& endpoints() const noexcept {
        return endpoints_;
    }
    /// Null: without TLS.
    asio::ssl::context* tls() noexcept { return tls_ ? &*tls_ : nullptr; }

private:
    server_address where_;
    std::vector<stream_socket::endpoint_type> endpoints_;
    std::optional<asio::ssl::context> tls_;
};

/// A connection to a server, whatever is spoken over it. What is to be sent is appended to
/// `requests()`, what came is taken from `input()`.
class client_stream {
public:
    /// A server that takes longer than `timeout` ends the operation with operation_aborted; 0: wait
    /// for ever. `timeouts` outlives the stream.
    client_stream(asio::io_context& io, sweeper& timeouts, steady::duration timeout);

    /// Connects to the first endpoint that answers, with TLS where it is asked for; else the error
    /// of the last one. `to` outlives the connection.
    task<asio::error_code> connect(server_access& to);

    flat_buffer& requests() noexcept { return requests_; }

    /// Writes all of `requests()`, which must not be touched meanwhile. May end at once: who sends
    /// in a loop gives others their turn.
    task<asio::error_code> send();

    /// Waits for bytes, which are added to `input()`. One `send` and one `receive` may be under
    /// way.
    task<asio::error_code> receive();

    /// What has come and was not taken: consume it when it is done with.
    flat_buffer& input() noexcept { return input_; }

    /// Starts the time-out anew: something is due from the server, which may take `more` time.
    void expect_reply(steady::duration more = {}) {
        const bool without_end = timeout_ == steady::duration::zero();
        watch_.expect(awaits::reply, without_end ? timeout_ : timeout_ + more);
    }

    /// Nothing is due: silence is no time-out.
    void rest() { watch_.expect_nothing(); }

    /// Ends a `receive` that is under way with operation_aborted, unless bytes have come for it.
    void stop_receiving();

    /// Ends the sending side, receives until the server closes its own or `input()` has bytes, for
    /// at most `patience`, and closes the connection.
    task<> finish(steady::duration patience);

    bool is_open() const { return socket_.is_open(); }
    void close();

    /// What an error of `connect`, `send` or `receive` means, for people.
    std::string describe(const asio::error_code& ec);

protected:
    /// Bytes that one `receive` takes at most.
    static constexpr std::size_t receive_bytes = 16 * KiB;

private:
    task<asio::error_code> secure(asio::ssl::context& tls, const server_address& where);
    std::string objection_to_certificate();

    stream_socket socket_;
    std::string host_;  // that the certificate is to be for
    std::optional<asio::ssl::stream<stream_socket&>> secured_;
    steady::duration timeout_;
    flat_buffer requests_;
    flat_buffer input_;
    watched_socket<stream_socket> watch_;
};

/// A connection to a server in the text dialect. Requests are appended to `requests()` and sent
/// together; their replies come back in order.
class client : private client_stream {
public:
    /// As client_stream's. A reply of more than `reply_bytes_max` bytes is a reply_error.
    client(
        asio::io_context& io,
        sweeper& timeouts,
        steady::duration timeout,
        std::size_t reply_bytes_max = client_reply_bytes_max);

    /// Connects, and says the password; access_denied when the server refuses it, or the client.
    task<asio::error_code> connect(server_access& to);

    /// What an error means, for people; of access_denied what the server said, too.
    std::string describe(const asio::error_code& ec);

    /// Waits for bytes of the next reply. One `send` and one `receive` may be under way.
    task<asio::error_code> receive();

    /// Returns the next reply, all of its lines, if it is complete. Valid until the next call that
    /// is not const. Throws reply_error. O(new bytes).
    std::optional<std::string_view> next_reply();

    using client_stream::close;
    using client_stream::expect_reply;
    using client_stream::requests;
    using client_stream::rest;
    using client_stream::send;

private:
    task<asio::error_code> say_password(const std::string& password);
    void make_room();

    std::size_t reply_bytes_max_;
    std::size_t given_ = 0;  // bytes of input() that next_reply has given out
    reply_reader reader_;
    std::string refusal_;  // of connect, a line
};

}  // namespace butterdb
