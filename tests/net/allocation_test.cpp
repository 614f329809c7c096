// Counts the allocations of the whole process, so it has an executable of its own.

#include "support/catch.hpp"
#include "support/counting_new.hpp"
#include "support/manual_time.hpp"
#include "support/talk.hpp"
#include <butterdb/net/session.hpp>
#include <butterdb/store/store.hpp>

#include <sys/socket.h>

#include <array>
#include <exception>
#include <memory_resource>
#include <string>

using namespace butterdb;

namespace {

struct socket_pair {
    explicit socket_pair(asio::io_context& io) : server(io), peer(io) {
        std::array<int, 2> ends{};
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) == 0);
        const asio::generic::stream_protocol protocol(AF_UNIX, 0);
        server.assign(protocol, ends[0]);
        peer.assign(protocol, ends[1]);
        server.non_blocking(true);
    }

    stream_socket server;
    stream_socket peer;
};

}  // namespace

TEST_CASE("every way to allocate is counted") {
    const auto before = test::allocations();
    auto* const memory = std::pmr::new_delete_resource();
    memory->deallocate(memory->allocate(8, 8), 8, 8);
    memory->deallocate(memory->allocate(64, 64), 64, 64);
    CHECK(test::allocations() == before + 2);
}

TEST_CASE("a request in steady state allocates nothing, from socket to socket") {
    test::fixture f;
    asio::io_context io(1);
    socket_pair sockets(io);
    test::manual_time time;
    sweeper timeouts(time);
    watched_socket watch(timeouts, sockets.server);
    conversation talk(f.run, f.lim);
    rounds order(io.get_executor());
    spawn(serve(sockets.server, talk, f.lim, watch, time, order), [](const std::exception_ptr&) {});

    const auto [put, get, reply_bytes] = GENERATE(table<std::string, std::string, std::size_t>({
        {"PUT key value\n", "GET key\n", 3 + 15 * 6},
        {"*3\r\n$3\r\nSET\r\n$16\r\n0123456789abcdef\r\n$"
         "32\r\n0123456789abcdef0123456789abcdef\r\n",
         "*2\r\n$3\r\nGET\r\n$16\r\n0123456789abcdef\r\n",
         5 + 15 * 39},
    }));
    auto requests = put;
    for (int i = 0; i < 15; ++i) {
        requests += get;
    }
    std::array<char, 1024> replies{};
    const auto round = [&] {
        sockets.peer.write_some(asio::buffer(requests));
        io.poll();
        return sockets.peer.read_some(asio::buffer(replies));
    };
    for (int i = 0; i < 100; ++i) {
        round();
    }
    const auto before = test::allocations();
    std::size_t bytes = 0;
    for (int i = 0; i < 1000; ++i) {
        bytes += round();
    }
    CHECK(bytes == 1000 * reply_bytes);
    CHECK(test::allocations() == before);

    sockets.peer.close();
    io.run();
}

TEST_CASE("DELPREFIX copies no key") {
    test::fixture f;
    conversation talk(f.run, f.lim);
    for (int i = 0; i < 200; ++i) {
        REQUIRE(f.db.put("key:" + std::to_string(i) + std::string(10 * KiB, 'x'), "v", f.now));
    }
    test::append(talk, "DELPREFIX 0 key: COUNT 10000\n");
    const auto before = test::allocations();
    CHECK(test::take_turns(talk, f.now) == "LIST 2\n0\n200\n");
    CHECK(test::allocations() - before < 20);
    CHECK(f.db.size() == 0);
}
