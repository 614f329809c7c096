#include <butterdb/net/listener.hpp>
#include <butterdb/net/stream.hpp>

#include <asio/ip/address.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/ip/v6_only.hpp>
#include <asio/local/stream_protocol.hpp>

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <string_view>
#include <system_error>
#include <utility>

namespace butterdb {

namespace {

// How often a port that the kernel chose for one address may turn out to be taken on another.
constexpr int port_choices_max = 16;

// Between two probes of a silent peer, and how many it may leave unanswered.
constexpr std::chrono::seconds probe_interval{60};
constexpr int probes_max = 4;

constexpr std::string_view not_of_this_machine =
    "-ERR DENIED ButterDB serves only clients of its own machine: it listens on an address that "
    "others reach, and has no password. Give it one (--password-file), or say that everybody may "
    "come in (--protected-mode no).\r\n";

[[noreturn]] void cannot_listen(const std::string& name, const asio::error_code& ec) {
    auto text = "cannot listen on " + name + ": " + ec.message();
    if (ec == asio::error::address_in_use) {
        text += "; stop what listens there, or choose another with --port or --unix-socket";
    } else if (ec == asio::error::access_denied) {
        text += "; ports below 1024 and other people's folders need permission";
    }
    throw start_error(text);
}

// IPv6 may be switched off.
bool is_missing(const asio::error_code& ec) {
    return ec == asio::error::address_family_not_supported ||
           ec == asio::error_code(EADDRNOTAVAIL, asio::error::get_system_category());
}

std::uint16_t port_of(const stream_socket::endpoint_type& where) {
    const auto name = name_of(where);
    return static_cast<std::uint16_t>(std::stoul(name.substr(name.rfind(':') + 1)));
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
    asio::local::stream_protocol::socket probe(io, asio::local::stream_protocol());
    asio::error_code ec;
    probe.native_non_blocking(true, ec);  // one that accepts nobody is in use all the same
    probe.connect(asio::local::stream_protocol::endpoint(path), ec);
    if (ec == asio::error::connection_refused) {
        ::unlink(path.c_str());
    }
}

// The device and inode of the file at `path`; a symbolic link counts as itself.
std::optional<std::pair<dev_t, ino_t>> file_at(const std::string& path) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) {
        return std::nullopt;
    }
    return std::pair(status.st_dev, status.st_ino);
}

// For the options that Asio has no names for. What the system does not know is left as it is.
template <typename Span>
void set_span(int socket, int name, Span span) {
    const auto value = static_cast<int>(std::min<typename Span::rep>(span.count(), 2'000'000'000));
    ::setsockopt(socket, IPPROTO_TCP, name, &value, sizeof value);
}

}  // namespace

listener::listener(
    asio::io_context& io, const listen_options& options, const limits& lim, const logger& log)
    : io_(io), limits_(lim), log_(log), serves_(options.serves), tls_files_(options.tls) {
    try {
        if (options.port) {
            tcp_port_ = *options.port;
            open_tcp(options, tcp_port_, security::none);
        }
        if (options.tls_port) {
            tls_.emplace(make_server_tls(tls_files_));
            auto port = *options.tls_port;
            open_tcp(options, port, security::tls);
        }
        if (!options.unix_socket.empty()) {
            listen_unix(options.unix_socket);
        }
    } catch (const tls_error& why) {
        close();
        throw start_error(why.what());
    } catch (...) {
        close();
        throw;
    }
}

// `port` becomes the one that is used.
void listener::open_tcp(const listen_options& options, std::uint16_t& port, security has) {
    const auto wanted = port;
    const auto before = entrances_.size();
    for (int choice = 1;; ++choice) {
        port = wanted;
        try {
            if (options.addresses.empty()) {
                listen_tcp("127.0.0.1", port, has, necessity::required);
                listen_tcp("::1", port, has, necessity::if_there);
            }
            for (const auto& address : options.addresses) {
                listen_tcp(address, port, has, necessity::required);
            }
            return;
        } catch (const start_error&) {
            // A port that the kernel chose for one address may be taken on another: it chooses
            // again.
            if (wanted != 0 || entrances_.size() == before || choice == port_choices_max) {
                throw;
            }
            while (entrances_.size() > before) {
                entrances_.pop_back();
                addresses_.pop_back();
            }
        }
    }
}

void listener::listen_tcp(
    const std::string& address, std::uint16_t& port, security has, necessity needed) {
    asio::error_code ec;
    const auto ip = asio::ip::make_address(address, ec);
    if (ec) {
        throw start_error("cannot listen on '" + address + "': not an IP address");
    }
    const protocol::endpoint where(asio::ip::tcp::endpoint(ip, port));
    listen_at(where, has, ec);
    if (ec && needed == necessity::if_there && is_missing(ec)) {
        return;
    }
    if (ec) {
        cannot_listen(name_of(where), ec);
    }
    const auto bound = entrances_.back().accepts.local_endpoint();
    port = port_of(bound);
    addresses_.push_back((has == security::tls ? "tls:" : "") + name_of(bound));
}

void listener::listen_unix(const std::string& path) {
    remove_stale_socket(path);
    asio::error_code ec;
    const auto old_mask = ::umask(0177);  // never reachable by others, not even for a moment
    try {
        listen_at(asio::local::stream_protocol::endpoint(path), security::none, ec);
    } catch (const std::system_error& too_long) {
        ec = too_long.code();
    }
    ::umask(old_mask);
    if (ec) {
        cannot_listen("unix:" + path, ec);
    }
    unix_path_ = path;
    unix_file_ = file_at(path);
    addresses_.push_back("unix:" + path);
}

// On failure nothing is added to the entrances.
void listener::listen_at(const protocol::endpoint& where, security has, asio::error_code& ec) {
    acceptor fresh(io_);
    fresh.open(where.protocol(), ec);
    if (ec) {
        return;
    }
    set_options(fresh, where.protocol().family());
    fresh.bind(where, ec);
    if (!ec) {
        fresh.listen(static_cast<int>(limits_.backlog_max), ec);
    }
    if (!ec) {
        entrances_.push_back({std::move(fresh), has});
    }
}

// Connections inherit those of TCP: no delay of small replies, and probes of silent peers.
void listener::set_options(acceptor& fresh, int family) const {
    asio::error_code ignored;
    fresh.non_blocking(true, ignored);
    if (family == AF_UNIX) {
        return;
    }
    fresh.set_option(acceptor::reuse_address(true), ignored);
    if (family == AF_INET6) {
        fresh.set_option(asio::ip::v6_only(true), ignored);
    }
    fresh.set_option(asio::ip::tcp::no_delay(true), ignored);
    // Else Asio waits in accept for the next one when a peer has gone, and everybody with it.
    fresh.set_option(asio::socket_base::enable_connection_aborted(true), ignored);
    const auto socket = fresh.native_handle();
    if (limits_.tcp_keepalive.count() != 0) {
        fresh.set_option(asio::socket_base::keep_alive(true), ignored);
        set_span(socket, TCP_KEEPIDLE, limits_.tcp_keepalive);
        set_span(socket, TCP_KEEPINTVL, std::min(limits_.tcp_keepalive, probe_interval));
        ::setsockopt(socket, IPPROTO_TCP, TCP_KEEPCNT, &probes_max, sizeof probes_max);
    }
}

void listener::start(server& to) {
    if (serves_ != listen_options::admission::who_says_the_password) {
        warn_of_doors();
    }
    for (auto& each : entrances_) {
        to.accept_from(each.accepts, [this, has = each.has, &to](stream_socket socket) {
            admit(std::move(socket), has, to);
        });
    }
}

// An address that is reached from elsewhere, and where nobody is asked for anything, is a mistake
// either way.
void listener::warn_of_doors() const {
    const bool is_open = serves_ == listen_options::admission::everybody;
    const std::string_view warning =
        is_open ? "no password, and no protected mode: whoever reaches this address may read and "
                  "delete everything: "
                : "protected mode: only clients of this machine are served; set a password "
                  "(--password-file) for others at ";
    for (const auto& each : entrances_) {
        asio::error_code ignored;
        const auto where = each.accepts.local_endpoint(ignored);
        if (!is_of_this_machine(where) && !asks_for_certificate(each.has)) {
            log_.warning(warning, name_of(where));
        }
    }
}

bool listener::asks_for_certificate(security has) const {
    return has == security::tls && !tls_files_.authority.empty();
}

bool listener::renew_tls() {
    if (!tls_) {
        return false;
    }
    *tls_ = make_server_tls(tls_files_);
    return true;
}

// In protected mode a client of another machine is served only if it shows a certificate.
bool listener::is_denied(stream_socket& socket, security has, server& to) const {
    if (serves_ != listen_options::admission::this_machine || asks_for_certificate(has)) {
        return false;
    }
    asio::error_code gone;
    const auto peer = socket.remote_endpoint(gone);
    if (gone) {
        return true;
    }
    const bool denied = !is_of_this_machine(peer);
    if (denied) {
        to.note_denied(name_of(peer));
    }
    return denied;
}

void listener::admit(stream_socket socket, security has, server& to) {
    if (is_denied(socket, has, to)) {
        // A client that speaks TLS cannot be told.
        to.turn_away(std::move(socket), has == security::tls ? "" : not_of_this_machine);
    } else if (has == security::tls) {
        to.admit(tls_stream(std::move(socket), *tls_));
    } else {
        to.admit(std::move(socket));
    }
}

void listener::close() noexcept {
    for (auto& each : entrances_) {
        asio::error_code ignored;
        each.accepts.close(ignored);
    }
    addresses_.clear();
    // Another server may have put its own socket there meanwhile.
    if (unix_file_ && file_at(unix_path_) == unix_file_) {
        ::unlink(unix_path_.c_str());
    }
    unix_file_.reset();
}

}  // namespace butterdb
