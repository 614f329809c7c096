#pragma once

#include <butterdb/base/limits.hpp>
#include <butterdb/net/asio.hpp>
#include <butterdb/net/log.hpp>
#include <butterdb/net/server.hpp>
#include <butterdb/net/tls.hpp>

#include <asio/basic_socket_acceptor.hpp>

#include <sys/types.h>

#include <cstdint>
#include <list>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace butterdb {

/// Why the server cannot start: one line for people, which says what to do.
class start_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

struct listen_options {
    std::vector<std::string> addresses;  ///< IP; none: 127.0.0.1, and ::1 if there is one
    /// TCP port of all addresses. 0: the kernel chooses; nothing: none.
    std::optional<std::uint16_t> port = 9090;
    std::optional<std::uint16_t> tls_port;  ///< the same under TLS, with `tls`
    tls_files tls;
    std::string unix_socket;  ///< a path; empty: none
    /// Who is served; others are told so and closed. Who shows a certificate, where TLS asks for
    /// one, always is.
    enum class admission {
        who_says_the_password,
        this_machine,
        everybody,
    };
    admission serves = admission::who_says_the_password;
};

/// The sockets that a server listens on: TCP, with and without TLS, and unix.
class listener {
public:
    /// Binds every address; connections wait until `start`. Throws start_error; then nothing
    /// listens. All but `options` outlive it.
    listener(
        asio::io_context& io, const listen_options& options, const limits& lim, const logger& log);
    listener(const listener&) = delete;
    listener& operator=(const listener&) = delete;
    ~listener() { close(); }

    /// Hands every connection to `to`, whose coroutines end before the listener does.
    void start(server& to);

    /// Reads the files of TLS again, for connections that come from now on. False: there is no
    /// TLS. Throws tls_error; then all is as it was.
    bool renew_tls();

    /// Stops listening, and removes the unix socket unless another file has taken its path.
    void close() noexcept;

    /// The names of what it listens on, as of `name_of`, with `tls:` before those under TLS.
    const std::vector<std::string>& addresses() const noexcept { return addresses_; }
    /// 0: none.
    std::uint16_t tcp_port() const noexcept { return tcp_port_; }

private:
    using protocol = asio::generic::stream_protocol;
    using acceptor = asio::basic_socket_acceptor<protocol, executor>;

    enum class necessity { required, if_there };
    enum class security { none, tls };

    struct entrance {
        acceptor accepts;
        security has;
    };

    void open_tcp(const listen_options& options, std::uint16_t& port, security has);
    void listen_tcp(
        const std::string& address, std::uint16_t& port, security has, necessity needed);
    void listen_unix(const std::string& path);
    void listen_at(const protocol::endpoint& where, security has, asio::error_code& ec);
    void admit(stream_socket socket, security has, server& to);
    bool asks_for_certificate(security has) const;
    bool is_denied(stream_socket& socket, security has, server& to) const;
    void warn_of_doors() const;
    void set_options(acceptor& fresh, int family) const;

    asio::io_context& io_;
    const limits& limits_;
    const logger& log_;
    listen_options::admission serves_;
    tls_files tls_files_;
    std::list<entrance> entrances_;
    std::optional<asio::ssl::context> tls_;
    std::vector<std::string> addresses_;
    std::string unix_path_;
    std::optional<std::pair<dev_t, ino_t>> unix_file_;  // the socket to remove at the end
    std::uint16_t tcp_port_ = 0;
};

}  // namespace butterdb
