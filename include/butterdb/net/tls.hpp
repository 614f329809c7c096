#pragma once

#include <butterdb/net/asio.hpp>
#include <butterdb/net/stream.hpp>
#include <butterdb/net/task.hpp>

#include <asio/ssl/context.hpp>
#include <asio/ssl/stream.hpp>

#include <cstddef>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

namespace butterdb {

/// Files in PEM form; an empty path: none.
struct tls_files {
    std::string certificate;  ///< one's own, with those between it and the authority
    std::string key;          ///< of the certificate
    std::string authority;    ///< that must have signed the peer's certificate
};

/// Why TLS cannot be used: one line for people.
class tls_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// What a server's connections have in common: TLS 1.2 and above, no renegotiation, no compression.
/// With an authority, only clients whose certificate it has signed may come in. Throws tls_error.
asio::ssl::context make_server_tls(const tls_files& files);

/// The same for a client, which takes the server for who it is when the authority, or one that the
/// system trusts, has signed its certificate; `verify` false: whoever it is. Throws tls_error.
asio::ssl::context make_client_tls(const tls_files& files, bool verify);

/// A socket under TLS. Serves as `Stream`: what it can't do without losing bytes, it does not try.
class tls_stream : public asio::ssl::stream<stream_socket> {
public:
    using asio::ssl::stream<stream_socket>::stream;

    /// The peer closed without the word for it, which is no attack on requests that end themselves.
    static bool is_end(const asio::error_code& ec) {
        return ec == asio::ssl::error::stream_truncated;
    }
};

inline stream_socket& socket_of(tls_stream& stream) {
    return stream.next_layer();
}

inline void prepare_stream(tls_stream& stream) {
    prepare_stream(stream.next_layer());
}

/// A part of a record that the kernel does not take at once would be lost: all is left to the
/// asynchronous write.
inline std::size_t try_write(tls_stream&, std::string_view, asio::error_code& ec) {
    ec.clear();
    return 0;
}

inline std::size_t try_read(tls_stream& stream, std::span<char> room) {
    asio::error_code ec;
    return stream.read_some(asio::buffer(room.data(), room.size()), ec);
}

inline bool output_has_arrived(tls_stream& stream) {
    return output_has_arrived(stream.next_layer());
}

inline void end_output(tls_stream& stream) {
    end_output(stream.next_layer());
}

/// Agrees with the client on keys.
task<asio::error_code> shake_hands(tls_stream& stream);

/// Tells the peer that the end of the replies is the end, and not a cut connection. Does not wait
/// for the peer to say the same.
task<> say_goodbye(tls_stream& stream);

}  // namespace butterdb
