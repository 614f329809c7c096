#pragma once

#include <butterdb/base/flat_buffer.hpp>
#include <butterdb/base/limits.hpp>
#include <butterdb/net/asio.hpp>
#include <butterdb/net/sweeper.hpp>
#include <butterdb/protocol/reply_reader.hpp>

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace butterdb {

/// Where a server listens.
struct server_address {
    std::string host = "localhost";
    std::uint16_t port = 9090;
    std::string unix_socket;  ///< a path; when given, host and port do not count
};

/// `localhost:9090` or `unix:/run/butterdb.sock`.
std::string name_of(const server_address& where);

/// All endpoints of an address. Throws asio::system_error when the name is not known. Blocks.
std::vector<stream_socket::endpoint_type> resolve(const server_address& where);

/// The server sent something that is no reply.
class reply_error : public std::runtime_error {
public:
    reply_error() : std::runtime_error("the server's reply cannot be read") {}
};

/// A connection to a server in the text dialect. Requests are appended to `requests()` and sent
/// together; their replies come back in order.
class client {
public:
    /// A server that takes longer than `timeout` ends the operation with operation_aborted; 0: wait
    /// for ever. `timeouts` outlives the client.
    /// A reply of more than `reply_bytes_max` bytes is a reply_error.
    client(
        asio::io_context& io,
        sweeper& timeouts,
        steady::duration timeout,
        std::size_t reply_bytes_max = 512 * MiB);

    /// Connects to the first endpoint that answers; else the error of the last one.
    awaitable<asio::error_code> connect(const std::vector<stream_socket::endpoint_type>& where);

    flat_buffer& requests() noexcept { return requests_; }

    /// Writes all of `requests()`, which must not be touched meanwhile.
    awaitable<asio::error_code> send();

    /// Waits for bytes of the next reply. One `send` and one `receive` may be under way.
    awaitable<asio::error_code> receive();

    /// The next reply, all of its lines, if it is complete. Valid until the next call that is not
    /// const. Throws reply_error.
    std::optional<std::string_view> next_reply();

    /// Starts the time-out anew: something is due from the server, which may take `more` time.
    void expect_reply(steady::duration more = {}) {
        const bool without_end = timeout_ == steady::duration::zero();
        watch_.expect_within(without_end ? timeout_ : timeout_ + more);
    }

    /// Nothing is due: silence is no time-out.
    void rest() { watch_.expect_within(steady::duration::zero()); }

    void close();

    /// What an error of `connect`, `send` or `receive` means, for people.
    static std::string describe(const asio::error_code& ec);

private:
    static constexpr std::size_t receive_bytes = 16 * KiB;

    stream_socket socket_;
    steady::duration timeout_;
    std::size_t reply_bytes_max_;
    flat_buffer requests_;
    flat_buffer input_;
    std::size_t given_ = 0;  // bytes of input_ that next_reply has given out
    reply_reader reader_;
    watched watch_;
};

}  // namespace butterdb
