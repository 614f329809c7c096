#include <butterdb/net/stream.hpp>

#include <asio/ip/tcp.hpp>

#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cstring>
#include <numeric>

namespace butterdb {

namespace {

std::string unix_path(const stream_socket::endpoint_type& where) {
    sockaddr_un address{};
    std::memcpy(&address, where.data(), std::min(where.size(), sizeof address - 1));
    return static_cast<const char*>(address.sun_path);
}

asio::ip::tcp::endpoint to_tcp(const stream_socket::endpoint_type& where) {
    asio::ip::tcp::endpoint tcp;
    std::memcpy(tcp.data(), where.data(), where.size());
    tcp.resize(where.size());
    return tcp;
}

// Numbers networks: those of IPv6 /64 by their first 64 bits; an IPv4 address, also one within
// IPv6, and unix sockets by numbers that are no /64 of the Internet.
std::uint64_t network_of(const asio::ip::address& address) {
    constexpr std::uint64_t ipv4 = std::uint64_t{1} << 32;
    if (address.is_v4()) {
        return ipv4 | address.to_v4().to_uint();
    }
    const auto v6 = address.to_v6();
    if (v6.is_v4_mapped()) {
        return ipv4 | asio::ip::make_address_v4(asio::ip::v4_mapped, v6).to_uint();
    }
    const auto bytes = v6.to_bytes();
    return std::accumulate(
        bytes.begin(), bytes.begin() + 8, std::uint64_t{0}, [](std::uint64_t before, auto byte) {
            return before << 8U | byte;
        });
}

}  // namespace

bool is_writable(stream_socket& stream) {
    pollfd one{stream.native_handle(), POLLOUT, 0};
    return ::poll(&one, 1, 0) == 1;
}

bool has_left(stream_socket& stream) {
    pollfd one{stream.native_handle(), POLLRDHUP, 0};
    return ::poll(&one, 1, 0) != 0;
}

bool output_has_arrived(stream_socket& stream) {
    int unacknowledged = 0;
    return ::ioctl(stream.native_handle(), SIOCOUTQ, &unacknowledged) == 0 && unacknowledged == 0;
}

void set_user_timeout(stream_socket& stream, std::chrono::seconds span) noexcept {
    constexpr std::chrono::milliseconds most{2'000'000'000};
    const auto value =
        static_cast<unsigned>(std::min<std::chrono::milliseconds>(span, most).count());
    ::setsockopt(stream.native_handle(), IPPROTO_TCP, TCP_USER_TIMEOUT, &value, sizeof value);
}

std::string peer_address(stream_socket& stream) {
    asio::error_code gone;
    const auto peer = stream.remote_endpoint(gone);
    if (gone) {
        return ":0";
    }
    if (peer.protocol().family() != AF_UNIX) {
        return name_of(peer);
    }
    return unix_path(stream.local_endpoint(gone)) + ":0";
}

peer_origin origin_of(stream_socket& stream) {
    constexpr std::uint64_t unix_sockets = 1;
    asio::error_code gone;
    const auto peer = stream.remote_endpoint(gone);
    if (gone) {
        return {};
    }
    const bool is_unix = peer.protocol().family() == AF_UNIX;
    return {
        is_unix ? unix_sockets : network_of(to_tcp(peer).address()),
        is_of_this_machine(peer),
        is_unix};
}

bool is_of_this_machine(const stream_socket::endpoint_type& where) {
    return where.protocol().family() == AF_UNIX || to_tcp(where).address().is_loopback();
}

std::string name_of(const stream_socket::endpoint_type& where) {
    if (where.protocol().family() == AF_UNIX) {
        return "unix:" + unix_path(where);
    }
    const auto tcp = to_tcp(where);
    std::string name(tcp.address().is_v6() ? "[" : "");
    name.append(tcp.address().to_string()).append(tcp.address().is_v6() ? "]:" : ":");
    return name.append(std::to_string(tcp.port()));
}

}  // namespace butterdb
