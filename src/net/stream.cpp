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

}  // namespace

bool is_writable(stream_socket& stream) {
    pollfd one{stream.native_handle(), POLLOUT, 0};
    return ::poll(&one, 1, 0) == 1;
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
