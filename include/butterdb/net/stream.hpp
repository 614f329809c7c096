#pragma once

#include <butterdb/base/budget_resource.hpp>
#include <butterdb/net/asio.hpp>

#include <asio/buffer.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace butterdb {

// What a session asks of its stream, beyond Asio's async_read_some and async_write_some. Other
// streams have overloads of their own (net/tls.hpp).

/// The socket under a stream: what is watched, closed and cancelled.
inline stream_socket& socket_of(stream_socket& stream) {
    return stream;
}

/// Makes it non-blocking, for the functions below.
inline void prepare_stream(stream_socket& stream) {
    asio::error_code ignored;  // the peer may be gone already; the first read will say so
    stream.non_blocking(true, ignored);
}

/// Writes what the kernel takes at once; 0 bytes when it takes none, which is no error.
inline std::size_t try_write(stream_socket& stream, std::string_view bytes, asio::error_code& ec) {
    const auto written = stream.write_some(asio::buffer(bytes), ec);
    if (ec == asio::error::would_block || ec == asio::error::try_again) {
        ec.clear();
    }
    return written;
}

/// Reads bytes that have already arrived; 0 bytes when there are none, which is no error. Fails
/// with asio::error::eof at the end of the input.
inline std::size_t try_read(stream_socket& stream, std::span<char> room, asio::error_code& ec) {
    const auto received = stream.read_some(asio::buffer(room.data(), room.size()), ec);
    if (ec == asio::error::would_block || ec == asio::error::try_again) {
        ec.clear();
    }
    return received;
}

/// Sets for how long the peer's machine may leave sent bytes unacknowledged, or its window closed,
/// until the system resets the connection; 0 is the system's own time. Does nothing on a unix
/// socket.
void set_user_timeout(stream_socket& stream, std::chrono::seconds span) noexcept;

/// Bytes that have arrived and have not been read; 0 at the end of the input, too.
inline std::size_t bytes_available(stream_socket& stream) {
    asio::error_code ignored;
    return stream.available(ignored);
}

/// Returns whether the kernel would take at least a few kilobytes now.
bool is_writable(stream_socket& stream);

/// Returns whether the peer has reset the connection, or ended its side of it, whether or not bytes
/// of it are still to be read.
bool has_left(stream_socket& stream);

/// Says that nothing more will be written.
inline void end_output(stream_socket& stream) {
    asio::error_code ignored;
    stream.shutdown(asio::socket_base::shutdown_send, ignored);
}

/// True when the peer's machine has acknowledged all that was written: closing can then destroy
/// nothing.
bool output_has_arrived(stream_socket& stream);

/// While it lives, the memory of a stream that has its own is charged to a client.
template <typename Stream>
class memory_charge {
public:
    memory_charge(
        [[maybe_unused]] Stream& stream, [[maybe_unused]] budget_resource& client) noexcept
        : stream_(&stream) {
        if constexpr (is_charged) {
            stream_->charge_to(&client);
        }
    }
    memory_charge(const memory_charge&) = delete;
    memory_charge& operator=(const memory_charge&) = delete;
    ~memory_charge() {
        if constexpr (is_charged) {
            stream_->charge_to(nullptr);
        }
    }

private:
    static constexpr bool is_charged = requires(Stream & stream) { stream.charge_to(nullptr); };

    Stream* stream_;
};

/// The peer's address and port, `[::1]:50000`; of a unix socket its path and `:0`.
std::string peer_address(stream_socket& stream);

/// Where the peer of a connection is, as far as it matters who may come in.
struct peer_origin {
    /// The same for all connections of an IPv4 address, of an IPv6 /64, and of unix sockets.
    std::uint64_t network = 0;
    bool is_local = false;  ///< of a loopback address, or of a unix socket
    bool is_unix = false;   ///< of a unix socket
};
peer_origin origin_of(stream_socket& stream);

/// True of a loopback address, and of a unix socket.
bool is_of_this_machine(const stream_socket::endpoint_type& where);

/// `127.0.0.1:9090`, `[::1]:9090`, `unix:/run/butterdb.sock`.
std::string name_of(const stream_socket::endpoint_type& where);

}  // namespace butterdb
