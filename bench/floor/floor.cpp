// The least that a server can do: one epoll loop that receives, counts requests, and sends a
// constant for each. It parses nothing and stores nothing; what it takes is the kernel's share.
// Usage: butterdb-floor PORT VALUE_BYTES (0: the constant is OK, else a value of that size)

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

constexpr std::size_t receive_bytes = std::size_t{64} * 1024;
constexpr char begin_of_request = '*';  // of RESP; keys and values of the load have none

int listen_on(std::uint16_t port) {
    const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
    const int on = 1;
    ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const auto* const generic = reinterpret_cast<const sockaddr*>(&address);
    if (::bind(listener, generic, sizeof address) != 0 || ::listen(listener, SOMAXCONN) != 0) {
        std::perror("butterdb-floor");
        std::exit(EXIT_FAILURE);
    }
    return listener;
}

void watch(int poller, int descriptor) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = descriptor;
    ::epoll_ctl(poller, EPOLL_CTL_ADD, descriptor, &event);
}

void accept_one(int poller, int listener) {
    const int client = ::accept(listener, nullptr, nullptr);
    const int on = 1;
    ::setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    watch(poller, client);
}

std::string value_of(std::size_t bytes) {
    std::string reply("$");
    return reply.append(std::to_string(bytes)).append("\r\n").append(bytes, 'x').append("\r\n");
}

void answer(int client, const std::string& reply) {
    static std::array<char, receive_bytes> input;
    static std::string output;
    const auto received = ::recv(client, input.data(), input.size(), 0);
    if (received <= 0) {
        ::close(client);
        return;
    }
    output.clear();
    for (auto due = std::count(input.data(), input.data() + received, begin_of_request); due > 0;
         --due) {
        output += reply;
    }
    for (std::size_t sent = 0; sent < output.size();) {
        const auto part = ::send(client, output.data() + sent, output.size() - sent, MSG_NOSIGNAL);
        if (part <= 0) {
            break;
        }
        sent += static_cast<std::size_t>(part);
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fprintf(stderr, "usage: butterdb-floor PORT VALUE_BYTES\n");
        return 2;
    }
    const int listener = listen_on(static_cast<std::uint16_t>(std::atoi(argv[1])));
    const std::size_t bytes = std::strtoul(argv[2], nullptr, 10);
    const std::string reply = bytes == 0 ? "+OK\r\n" : value_of(bytes);
    const int poller = ::epoll_create1(0);
    watch(poller, listener);
    for (;;) {
        std::array<epoll_event, 128> ready;
        const int count = ::epoll_wait(poller, ready.data(), static_cast<int>(ready.size()), -1);
        for (int i = 0; i < count; ++i) {
            const int descriptor = ready[static_cast<std::size_t>(i)].data.fd;
            if (descriptor == listener) {
                accept_one(poller, listener);
            } else {
                answer(descriptor, reply);
            }
        }
    }
}
