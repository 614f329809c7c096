#include <butterdb/net/platform.hpp>
#include <butterdb/net/server.hpp>
#include <butterdb/net/session.hpp>

#include <asio/co_spawn.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/ip/v6_only.hpp>
#include <asio/local/stream_protocol.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <sstream>
#include <system_error>
#include <utility>

namespace butterdb {

namespace {

// Connections that the kernel may hold before they are accepted; it takes less where its own limit
// (net.core.somaxconn) is lower.
constexpr int backlog_max = 1024;

// How often a port that the kernel chose for one address may turn out to be taken on another.
constexpr int port_choices_max = 16;

constexpr std::string_view too_many_clients = "-ERR max number of clients reached\r\n";

[[noreturn]] void cannot_listen(const std::string& name, const asio::error_code& ec) {
    auto text = "cannot listen on " + name + ": " + ec.message();
    if (ec == asio::error::address_in_use) {
        text += "; stop what listens there, or choose another with --port or --unix-socket";
    } else if (ec == asio::error::access_denied) {
        text += "; ports below 1024 and other people's folders need permission";
    }
    throw start_error(text);
}

std::string name_of(const asio::ip::tcp::endpoint& where) {
    std::ostringstream name;
    name << where;  // brackets around IPv6
    return name.str();
}

// IPv6 may be switched off.
bool is_missing(const asio::error_code& ec) {
    return ec == asio::error::address_family_not_supported ||
           ec == std::errc::address_not_available;
}

asio::ip::tcp::endpoint to_tcp(const asio::generic::stream_protocol::endpoint& where) {
    asio::ip::tcp::endpoint tcp;
    std::memcpy(tcp.data(), where.data(), where.size());
    tcp.resize(where.size());
    return tcp;
}

// A socket file whose server is gone would be in the way for ever; one that answers is in use.
void remove_stale_socket(const std::string& path) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) {
        return;
    }
    if (!S_ISSOCK(status.st_mode)) {
        throw start_error(
            "cannot listen on unix:" + path +
            ": the file exists and is no socket; remove it, or choose another path");
    }
    asio::io_context io;
    asio::local::stream_protocol::socket probe(io);
    asio::error_code ec;
    probe.connect(asio::local::stream_protocol::endpoint(path), ec);
    if (ec == asio::error::connection_refused) {
        ::unlink(path.c_str());
    }
}

}  // namespace

server::server(asio::io_context& io, engine& db, const limits& lim, const logger& log)
    : io_(io),
      engine_(db),
      limits_(lim),
      log_(log),
      sweeper_(io),
      drain_timer_(io),
      upkeep_timer_(io),
      wait_timer_(io) {
    engine_.on_wait = [this](time_point until) { wake_by(until); };
}

server::~server() {
    stopping_ = true;
    engine_.on_wait = nullptr;
    stop_accepting();
    drained_ = nullptr;
    sweeper_.close_all();
    io_.restart();
    while (tasks_ > 0 && io_.run_one() > 0) {
    }
}

void server::listen(const listen_options& options) {
    try {
        open_tcp(options);
        if (!options.unix_socket.empty()) {
            listen_unix(options.unix_socket);
        }
    } catch (...) {
        stop_accepting();
        throw;
    }
    for (auto& each : acceptors_) {
        spawn(accept_from(each), accepting_);
    }
}

void server::open_tcp(const listen_options& options) {
    for (int choice = 1;; ++choice) {
        tcp_port_ = options.port;
        try {
            if (options.addresses.empty()) {
                listen_tcp("127.0.0.1", necessity::required);
                listen_tcp("::1", necessity::if_there);
            }
            for (const auto& address : options.addresses) {
                listen_tcp(address, necessity::required);
            }
            return;
        } catch (const start_error&) {
            // A port that the kernel chose for one address may be taken on another: it chooses
            // again.
            if (options.port != 0 || acceptors_.empty() || choice == port_choices_max) {
                throw;
            }
            stop_accepting();
        }
    }
}

void server::listen_tcp(const std::string& address, necessity needed) {
    asio::error_code ec;
    const auto ip = asio::ip::make_address(address, ec);
    if (ec) {
        throw start_error("cannot listen on '" + address + "': not an IP address");
    }
    const asio::ip::tcp::endpoint where(ip, tcp_port_);
    listen_at(where, ec);
    if (ec && needed == necessity::if_there && is_missing(ec)) {
        return;
    }
    if (ec) {
        cannot_listen(name_of(where), ec);
    }
    const auto bound = to_tcp(acceptors_.back().local_endpoint());
    tcp_port_ = bound.port();
    addresses_.push_back(name_of(bound));
}

void server::listen_unix(const std::string& path) {
    remove_stale_socket(path);
    asio::error_code ec;
    const auto old_mask = ::umask(0177);  // never reachable by others, not even for a moment
    try {
        listen_at(asio::local::stream_protocol::endpoint(path), ec);
    } catch (const std::system_error& too_long) {
        ec = too_long.code();
    }
    ::umask(old_mask);
    if (ec) {
        cannot_listen("unix:" + path, ec);
    }
    unix_path_ = path;
    addresses_.push_back("unix:" + path);
}

// On failure nothing is added to the acceptors.
void server::listen_at(const protocol::endpoint& where, asio::error_code& ec) {
    acceptor fresh(io_);
    fresh.open(where.protocol(), ec);
    if (ec) {
        return;
    }
    asio::error_code ignored;
    fresh.set_option(acceptor::reuse_address(true), ignored);
    if (where.protocol().family() == AF_INET6) {
        fresh.set_option(asio::ip::v6_only(true), ignored);
    }
    fresh.bind(where, ec);
    if (!ec) {
        fresh.listen(backlog_max, ec);
    }
    if (!ec) {
        acceptors_.push_back(std::move(fresh));
    }
}

// Closed acceptors stay until their coroutines have ended.
void server::stop_accepting() {
    for (auto& each : acceptors_) {
        asio::error_code ignored;
        each.close(ignored);
    }
    if (tasks_ == 0) {
        acceptors_.clear();
    }
    addresses_.clear();
    if (!unix_path_.empty()) {
        ::unlink(unix_path_.c_str());
        unix_path_.clear();
    }
}

void server::drain(std::function<void()> done) {
    drained_ = std::move(done);
    stopping_ = true;
    stop_accepting();
    sweeper_.drain();
    drain_timer_.expires_after(limits_.drain);
    drain_timer_.async_wait([this](const asio::error_code& ec) {
        if (!ec) {
            log_.warning("cutting connections that did not end in time");
            sweeper_.close_all();
        }
    });
}

// Runs a coroutine to its end on the server's thread; it is counted in `running` until then,
// however it ends. Throws std::bad_alloc, and nothing runs.
void server::spawn(awaitable<> task, std::uint64_t& running) {
    ++tasks_;
    ++running;
    try {
        asio::co_spawn(io_, std::move(task), [this, &running](const std::exception_ptr& failure) {
            --tasks_;
            --running;
            ended(failure);
        });
    } catch (...) {
        --tasks_;
        --running;
        throw;
    }
}

void server::ended(const std::exception_ptr& failure) {
    try {
        if (failure) {
            std::rethrow_exception(failure);
        }
    } catch (const std::exception& why) {
        if (failure_log_.due(steady::now())) {
            log_.error(std::string("a connection ended: ") + why.what());
        }
    }
    if (tasks_ == 0 && drained_) {
        drain_timer_.cancel();
        upkeep_timer_.cancel();
        wait_timer_.cancel();
        sweeper_.stop();
        std::exchange(drained_, nullptr)();
    }
}

awaitable<> server::accept_from(acceptor& from) {
    steady_timer pause(io_);
    while (from.is_open()) {
        asio::error_code ec;
        stream_socket socket = co_await from.async_accept(into(ec));
        if (stopping_ || ec == asio::error::operation_aborted) {
            co_return;
        }
        if (!ec) {
            admit(std::move(socket));
            continue;
        }
        if (accept_log_.due(steady::now())) {
            log_.warning("cannot accept a connection, trying again: " + ec.message());
        }
        pause.expires_after(limits_.accept_pause);
        co_await pause.async_wait(into(ec));
    }
}

void server::admit(stream_socket socket) {
    asio::error_code ignored;  // the peer may be gone already; the first read will say so
    socket.non_blocking(true, ignored);
    ++engine_.count.connections_received;
    try {
        if (engine_.count.connected_clients >= limits_.clients_max) {
            turn_away(std::move(socket));
            return;
        }
        socket.set_option(asio::ip::tcp::no_delay(true), ignored);
        wake_upkeep();
        spawn(converse(std::move(socket)), engine_.count.connected_clients);
    } catch (const std::bad_alloc&) {
        log_.error("no memory for a connection");
    }
}

// Runs while there is a client, or something left to do: without both it costs nothing.
void server::wake_upkeep() {
    if (std::exchange(upkeep_awake_, true)) {
        return;
    }
    upkeep_timer_.expires_after(limits_.upkeep_interval);
    sweep_on_timer();
}

void server::sweep_on_timer() {
    upkeep_timer_.async_wait([this](const asio::error_code& ec) {
        const bool more = !ec && engine_.upkeep(wall_clock());
        upkeep_awake_ = !ec && !stopping_ && (more || engine_.count.connected_clients > 0);
        if (upkeep_awake_) {
            upkeep_timer_.expires_after(more ? limits_.upkeep_pause : limits_.upkeep_interval);
            sweep_on_timer();
        }
    });
}

// Somebody waits for a key until then: one timer for all of them.
void server::wake_by(time_point until) {
    if (until >= wake_at_) {
        return;
    }
    wake_at_ = until;
    const std::chrono::milliseconds least(1);
    const std::chrono::milliseconds most(std::chrono::hours(1));  // then it looks again
    wait_timer_.expires_after(std::clamp(until - wall_clock(), least, most));
    wait_timer_.async_wait([this](const asio::error_code& ec) {
        if (ec) {
            return;
        }
        wake_at_ = no_deadline;
        const auto next = engine_.wake_late(wall_clock());
        if (next) {
            wake_by(*next);
        }
    });
}

// Only few at a time are given the time to read why: the others' descriptors are needed.
void server::turn_away(stream_socket socket) {
    ++engine_.count.connections_rejected;
    asio::error_code ignored;
    socket.write_some(asio::buffer(too_many_clients), ignored);
    if (farewells_ < limits_.farewells_max) {
        spawn(bid_farewell(std::move(socket)), farewells_);
    }
}

awaitable<> server::bid_farewell(stream_socket socket) {
    watched watch(sweeper_, socket);
    flat_buffer input;
    co_await linger(socket, input, limits_, watch);
}

awaitable<> server::converse(stream_socket socket) {
    watched watch(sweeper_, socket);
    conversation talk(engine_, limits_);
    introduce(talk.who(), socket);
    talk.who().wake = [&watch] { watch.wake(); };
    const auto ec = co_await serve(socket, talk, limits_, watch, wall_clock);
    log_ending(ec, talk.how_it_ended());
}

// Tells the engine who the client is.
void server::introduce(peer& who, stream_socket& socket) {
    who.connected = who.last_request = wall_clock();
    who.cut = [&socket] {
        asio::error_code ignored;
        socket.close(ignored);
    };
    asio::error_code gone;
    const auto from = socket.remote_endpoint(gone);
    const bool is_unix = from.protocol().family() == AF_UNIX;
    who.address = gone || is_unix ? unix_path_ + ":0" : name_of(to_tcp(from));
}

// That a client goes, in whatever way, is no news.
void server::log_ending(const asio::error_code& ec, conversation::ending how) {
    const bool ordinary = !ec || ec == asio::error::eof || ec == asio::error::connection_reset ||
                          ec == asio::error::broken_pipe || ec == asio::error::operation_aborted ||
                          ec == asio::error::bad_descriptor;
    if (!ordinary && failure_log_.due(steady::now())) {
        log_.warning("a connection failed: " + ec.message());
    }
    if (how == conversation::ending::foreign && foreign_log_.due(steady::now())) {
        log_.warning("closed a connection that spoke another protocol, such as HTTP or TLS");
    }
}

}  // namespace butterdb
