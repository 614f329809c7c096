#include "support/catch.hpp"
#include <butterdb/net/client.hpp>
#include <butterdb/net/listener.hpp>
#include <butterdb/net/server.hpp>

#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>
#include <asio/write.hpp>

#include <atomic>
#include <exception>
#include <memory_resource>
#include <string>
#include <thread>

using namespace butterdb;
using namespace std::chrono_literals;

namespace {

listen_options any_port() {
    listen_options options;
    options.addresses = {"127.0.0.1"};
    options.port = 0;
    return options;
}

// A server on a thread of its own; drains at the end.
class running_server {
public:
    explicit running_server(const limits& lim) : lim_(lim) {
        front_.start(serving_);
        thread_ = std::thread([this] { io_.run(); });
    }
    ~running_server() {
        drain();
        thread_.join();
        CHECK(db_.count.connected_clients == 0);
    }

    void drain() {
        if (!std::exchange(draining_, true)) {
            asio::post(io_, [this] { serving_.drain([] {}); });
        }
    }

    std::uint16_t port() const { return front_.tcp_port(); }

private:
    limits lim_;
    logger quiet_{log_level::error};
    store entries_{*std::pmr::new_delete_resource(), {64 * MiB, 1}};
    engine db_{entries_, lim_};
    asio::io_context io_{1};
    system_time time_{io_};
    listener front_{io_, any_port(), lim_, quiet_};
    server serving_{io_, db_, lim_, time_, quiet_};
    bool draining_ = false;
    std::thread thread_;
};

// A blocking connection, as other programs make them.
class connection {
public:
    explicit connection(std::uint16_t port) {
        socket_.connect({asio::ip::make_address("127.0.0.1"), port});
    }

    void send(std::string_view bytes) { asio::write(socket_, asio::buffer(bytes)); }

    std::string receive(std::size_t count) {
        std::string bytes(count, '\0');
        asio::error_code ec;
        std::size_t received = 0;
        while (received < count && !ec) {
            received += socket_.read_some(asio::buffer(bytes) + received, ec);
        }
        bytes.resize(received);
        return bytes;
    }

private:
    asio::io_context io_;
    asio::ip::tcp::socket socket_{io_};
};

// Asks for 60 MB of replies, which do not fit into the kernel.
void ask_for_much(connection& deaf) {
    deaf.send("PUT k " + std::string(60'000, 'x') + "\n");
    CHECK(deaf.receive(3) == "OK\n");
    std::string gets;
    for (int i = 0; i < 1000; ++i) {
        gets += "GET k\n";
    }
    deaf.send(gets);
}

}  // namespace

TEST_CASE("server and clients run in threads") {
    running_server server{limits{}};
    std::atomic<int> right = 0;
    std::vector<std::thread> threads;
    for (int number = 0; number < 4; ++number) {
        threads.emplace_back([&, number] {
            connection c(server.port());
            const auto value = std::to_string(number);
            for (int i = 0; i < 100; ++i) {
                c.send("PUT k" + value + " v" + value + "\nGET k" + value + "\n");
                right += c.receive(6) == "OK\nv" + value + "\n" ? 1 : 0;
            }
        });
    }
    for (auto& each : threads) {
        each.join();
    }
    CHECK(right == 400);
}

TEST_CASE("a peer that takes none of its replies is cut") {
    limits lim;
    lim.write_timeout = 1s;
    running_server server(lim);
    connection deaf(server.port());
    ask_for_much(deaf);
    connection other(server.port());
    std::string seen;
    while (seen.find("connected_clients:1\n") == seen.npos) {
        other.send("INFO clients\nECHO .\n");
        seen.clear();
        while (!seen.ends_with(".\n")) {
            seen += other.receive(1);
        }
    }
}

TEST_CASE("a drain cuts what does not end in time") {
    limits lim;
    lim.drain = 1s;
    running_server server(lim);
    connection deaf(server.port());
    ask_for_much(deaf);
    CHECK(deaf.receive(1) == "x");
    server.drain();
}

TEST_CASE("a server that is destroyed under load leaves no coroutine behind") {
    limits lim;
    const logger quiet(log_level::error);
    store entries(*std::pmr::new_delete_resource(), {64 * MiB, 1});
    engine db(entries, lim);
    asio::io_context io(1);
    system_time time(io);
    listener front(io, any_port(), lim, quiet);
    {
        server serving(io, db, lim, time, quiet);
        front.start(serving);
        std::vector<std::unique_ptr<connection>> peers;
        for (int i = 0; i < 5; ++i) {
            peers.push_back(std::make_unique<connection>(front.tcp_port()));
            peers.back()->send("PUT a 1\nGET");
        }
        while (db.count.connected_clients < 2) {
            io.run_one();
        }
    }
    CHECK(db.count.connected_clients == 0);
}

TEST_CASE("a client gives up a reply without end") {
    asio::io_context io(1);
    asio::ip::tcp::acceptor acceptor(io, {asio::ip::make_address("127.0.0.1"), 0});
    const auto port = acceptor.local_endpoint().port();
    system_time time(io);
    sweeper timeouts(time);
    client server(io, timeouts, 10s, 1000);
    std::exception_ptr failure;
    server_address where;
    where.host = "127.0.0.1";
    where.port = port;
    server_access access(where);
    const auto talk = [&]() -> task<> {
        auto ec = co_await server.connect(access);
        while (!ec) {
            server.next_reply();
            ec = co_await server.receive();
        }
    };
    spawn(talk(), [&](const std::exception_ptr& why) {
        failure = why;
        timeouts.stop();
    });
    io.poll();  // connects
    auto peer = acceptor.accept();
    asio::write(peer, asio::buffer(std::string(2000, 'x')));
    io.run();
    REQUIRE(failure);
    CHECK_THROWS_AS(std::rethrow_exception(failure), reply_error);
}
