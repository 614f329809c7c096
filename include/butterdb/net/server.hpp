#pragma once

#include <butterdb/base/limits.hpp>
#include <butterdb/conversation/conversation.hpp>
#include <butterdb/engine/engine.hpp>
#include <butterdb/net/asio.hpp>
#include <butterdb/net/log.hpp>
#include <butterdb/net/sweeper.hpp>

#include <asio/basic_socket_acceptor.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <list>
#include <stdexcept>
#include <string>
#include <vector>

namespace butterdb {

/// Why the server cannot start: one line for people, which says what to do.
class start_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

struct listen_options {
    std::vector<std::string>
        addresses;              ///< IP addresses; empty: 127.0.0.1, and ::1 if there is one
    std::uint16_t port = 9090;  ///< 0: the kernel chooses, one port for all addresses
    std::string unix_socket;    ///< a path; empty: none
};

/// Accepts connections and runs one session coroutine for each, all on one thread.
class server {
public:
    /// All arguments outlive the server. `io` may be created with ASIO_CONCURRENCY_HINT_UNSAFE.
    server(asio::io_context& io, engine& db, const limits& lim, const logger& log);
    server(const server&) = delete;
    server& operator=(const server&) = delete;
    /// Cuts what is left of the connections and runs `io` until their coroutines are gone.
    ~server();

    /// Binds every address and begins to accept. Throws start_error; then nothing listens.
    void listen(const listen_options& options);

    /// What it listens on: `127.0.0.1:9090`, `[::1]:9090`, `unix:/run/butterdb.sock`.
    const std::vector<std::string>& addresses() const noexcept { return addresses_; }
    std::uint16_t tcp_port() const noexcept { return tcp_port_; }

    /// Stops accepting, answers what has been received, then closes. Connections that last longer
    /// than `limits::drain` are cut. `done` is called when the last has gone.
    void drain(std::function<void()> done);

private:
    using protocol = asio::generic::stream_protocol;
    using acceptor = asio::basic_socket_acceptor<protocol, executor>;

    enum class necessity { required, if_there };

    void open_tcp(const listen_options& options);
    void listen_tcp(const std::string& address, necessity needed);
    void listen_unix(const std::string& path);
    void listen_at(const protocol::endpoint& where, asio::error_code& ec);
    void stop_accepting();

    awaitable<> accept_from(acceptor& from);
    awaitable<> converse(stream_socket socket);
    void introduce(peer& who, stream_socket& socket);
    void spawn(awaitable<> task, std::uint64_t& running);
    awaitable<> bid_farewell(stream_socket socket);
    void admit(stream_socket socket);
    void turn_away(stream_socket socket);
    void wake_upkeep();
    void wake_by(time_point until);
    void sweep_on_timer();
    void ended(const std::exception_ptr& failure);
    void log_ending(const asio::error_code& ec, conversation::ending how);

    asio::io_context& io_;
    engine& engine_;
    const limits& limits_;
    const logger& log_;
    sweeper sweeper_;
    steady_timer drain_timer_;
    steady_timer upkeep_timer_;
    steady_timer wait_timer_;
    time_point wake_at_ = no_deadline;
    bool upkeep_awake_ = false;
    std::list<acceptor> acceptors_;
    std::vector<std::string> addresses_;
    std::string unix_path_;  // to remove at the end
    std::uint16_t tcp_port_ = 0;
    std::size_t tasks_ = 0;  // coroutines that have not ended; of these:
    std::uint64_t accepting_ = 0;
    std::uint64_t farewells_ = 0;
    bool stopping_ = false;
    std::function<void()> drained_;
    log_throttle foreign_log_{std::chrono::minutes(1)};
    log_throttle accept_log_{std::chrono::seconds(10)};
    log_throttle failure_log_{std::chrono::seconds(10)};
};

}  // namespace butterdb
