#include "support/catch.hpp"
#include "support/manual_time.hpp"
#include <butterdb/net/client.hpp>
#include <butterdb/net/listener.hpp>
#include <butterdb/net/server.hpp>

#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>
#include <asio/write.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <exception>
#include <memory>
#include <memory_resource>
#include <string>
#include <thread>
#include <utility>
#include <vector>

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

// A server over real sockets whose time a test moves by hand, on the thread of the test.
class stepped_server {
public:
    explicit stepped_server(const limits& of) : lim(of) { front_.start(serving); }

    // Runs until the server waits for its clients, or for time to pass. Returns how many handlers
    // ran; fails when the server never waits.
    std::size_t settle() {
        constexpr std::size_t handlers_max = 1'000'000;
        io_.restart();
        std::size_t handlers = 0;
        for (std::size_t ran = io_.poll(); ran > 0; ran = io_.poll()) {
            handlers += ran;
            REQUIRE(handlers < handlers_max);
        }
        return handlers;
    }
    std::size_t advance(steady::duration span) {
        time.advance(span);
        return settle();
    }
    std::uint16_t port() const { return front_.tcp_port(); }

    limits lim;
    store entries{*std::pmr::new_delete_resource(), {64 * MiB, 1}};
    engine db{entries, lim};
    test::manual_time time;

private:
    logger quiet_{log_level::error};
    asio::io_context io_{1};
    listener front_{io_, any_port(), lim, quiet_};

public:
    server serving{io_, db, lim, time, quiet_};
};

// Asks for 60 MB of replies, which do not fit into the kernel's buffers.
void ask_for_much(connection& deaf) {
    std::string requests = "PUT k " + std::string(60'000, 'x') + "\n";
    for (int i = 0; i < 1000; ++i) {
        requests += "GET k\n";
    }
    deaf.send(requests);
}

// A server on the test's thread, whose time stands still until the test moves it.
class manual_server {
public:
    explicit manual_server(const limits& lim, bool asks_for_password = false) : lim_(lim) {
        if (asks_for_password) {
            db.admits = [](std::string_view said) { return said == "secret"; };
        }
        front_.start(serving_);
    }

    // Runs the server until `holds()`; the time limit of the test ends it otherwise.
    template <typename Condition>
    void until(Condition holds) {
        while (!holds()) {
            io_.restart();
            io_.run_one_for(10ms);
        }
    }

    std::uint16_t port() const { return front_.tcp_port(); }

private:
    limits lim_;
    logger quiet_{log_level::none};
    store entries_{*std::pmr::new_delete_resource(), {64 * MiB, 1}};

public:
    engine db{entries_, lim_};
    test::manual_time time;

private:
    asio::io_context io_{1};
    listener front_{io_, any_port(), lim_, quiet_};
    server serving_{io_, db, lim_, time, quiet_};
};

// A client of it, which does not block.
class manual_client {
public:
    explicit manual_client(manual_server& to) : server_(&to) {
        const auto before = to.db.count.connections_received;
        socket_.connect({asio::ip::make_address("127.0.0.1"), to.port()});
        socket_.non_blocking(true);
        to.until([&] { return to.db.count.connections_received > before; });
    }

    void send(std::string_view bytes) { asio::write(socket_, asio::buffer(bytes)); }

    // Sends a line, and returns the next line that comes.
    std::string ask(std::string_view line) {
        send(std::string(line) + "\n");
        server_->until([this] { return is_closed() || received_.find('\n') != received_.npos; });
        const auto end = std::min(received_.find('\n'), received_.size() - 1) + 1;
        auto reply = received_.substr(0, end);
        received_.erase(0, end);
        return reply;
    }

    // Returns what comes until the server closes.
    std::string rest() {
        server_->until([this] { return is_closed(); });
        return std::exchange(received_, {});
    }

    // Receives what is there.
    bool is_closed() {
        std::array<char, 1000> piece{};
        asio::error_code ec;
        while (!ec) {
            received_.append(piece.data(), socket_.read_some(asio::buffer(piece), ec));
        }
        return ec != asio::error::would_block;
    }

private:
    manual_server* server_;
    asio::io_context io_;
    asio::ip::tcp::socket socket_{io_};
    std::string received_;
};

constexpr std::string_view no_password = "ERROR NOAUTH Authentication required.\n";
constexpr std::string_view too_many = "-ERR max number of clients reached\r\n";

}  // namespace

TEST_CASE(
    "a client that does not say the password is closed in time, whatever it sends meanwhile") {
    manual_server server(limits{}, true);
    manual_client guest(server);
    const std::string line = GENERATE("", "PING", "GET a");
    for (int second = 0; second < 30; second += 6) {
        CHECK(guest.ask(line + "\nPING") == no_password);
        server.time.advance(6s);
    }
    server.time.advance(1s);
    guest.rest();
    server.until([&] { return server.db.count.closed_unauthenticated == 1; });
}

TEST_CASE("a client that has said the password is not closed for it, until it resets") {
    manual_server server(limits{}, true);
    manual_client guest(server);
    server.time.advance(29s);
    CHECK(guest.ask("AUTH secret") == "+OK\r\n");
    server.time.advance(1h);
    CHECK(guest.ask("RESET") == "RESET\n");
    server.time.advance(29s);
    CHECK(guest.ask("PING") == no_password);
    server.time.advance(2s);
    CHECK(guest.rest().empty());
    server.until([&] { return server.db.count.closed_unauthenticated == 1; });
}

TEST_CASE("clients without the password have a quarter of the places, and the oldest makes room") {
    limits lim;
    lim.clients_max = 16;
    manual_server server(lim, true);
    std::vector<std::unique_ptr<manual_client>> clients;
    const auto come = [&]() -> manual_client& {
        return *clients.emplace_back(std::make_unique<manual_client>(server));
    };
    for (int i = 0; i < 5; ++i) {
        CHECK(come().ask("AUTH secret") == "+OK\r\n");
    }
    for (int i = 0; i < 5; ++i) {
        CHECK(come().ask("PING") == no_password);
    }
    CHECK(clients[5]->rest().empty());
    server.until([&] { return server.db.count.closed_unauthenticated == 1; });
    for (const std::size_t kept : {6U, 7U, 8U, 9U}) {
        CHECK(clients[kept]->ask("PING") == no_password);
    }
    CHECK(clients[7]->ask("AUTH secret") == "+OK\r\n");
    CHECK(come().ask("PING") == no_password);
    CHECK(clients[6]->ask("PING") == no_password);
    for (const std::size_t kept : {0U, 4U, 7U}) {
        CHECK(clients[kept]->ask("PING") == "+PONG\r\n");
    }
}

TEST_CASE("two clients can log in at the same time, however small the limit of clients is") {
    limits lim;
    lim.clients_max = GENERATE(3U, 4U, 7U);
    manual_server server(lim, true);
    manual_client one(server);
    CHECK(one.ask("PING") == no_password);
    manual_client other(server);
    CHECK(other.ask("AUTH secret") == "+OK\r\n");
    CHECK(one.ask("AUTH secret") == "+OK\r\n");
}

TEST_CASE("wrong passwords over one connection delay the answer on the next") {
    manual_server server(limits{}, true);
    for (int i = 0; i < 10; ++i) {
        manual_client guesser(server);
        guesser.send("AUTH guess\n");
        const auto failed = server.db.count.passwords_failed;
        server.until([&] { return server.db.count.passwords_failed > failed; });
    }
    manual_client client(server);
    client.send("AUTH secret\n");
    manual_client other(server);
    CHECK(other.ask("PING") == no_password);
    CHECK_FALSE(client.is_closed());
    server.time.advance(800ms);
    CHECK(client.ask("PING") == "+OK\r\n");
    CHECK(client.ask("PING") == "+PONG\r\n");
}

TEST_CASE("beyond the limit of clients a local connection may administer, and nothing else") {
    limits lim;
    lim.clients_max = 1;
    manual_server server(lim);
    manual_client first(server);
    CHECK(first.ask("PING") == "+PONG\r\n");
    manual_client administrator(server);
    CHECK(administrator.ask("CONFIG GET max-clients") == "LIST 2\n");
    CHECK(administrator.ask("CONFIG SET max-clients 1") == "max-clients\n");
    CHECK(server.db.count.connected_clients == 1);
    CHECK(server.db.count.administrative_clients == 1);
    for (const std::string line : {"GET a", "EXIT", "NONSENSE", "GET", "MULTI"}) {
        CHECK(manual_client(server).ask(line) == too_many);
    }
    manual_client silent(server);
    server.time.advance(1900ms);
    CHECK_FALSE(silent.is_closed());
    server.time.advance(400ms);
    CHECK(silent.rest() == too_many);
    manual_client last(server);
    last.send("CONFIG SET max-clients 2\nGET a\n");
    CHECK(last.rest() == "OK\n" + std::string(too_many));
    CHECK(manual_client(server).ask("GET a") == "NOT_FOUND\n");
    CHECK(server.db.count.connections_rejected == 8);
}

TEST_CASE("connections that administer keep their places, and others over TCP are refused") {
    limits lim;
    lim.administrators_max = 4;
    lim.clients_max = 1;
    manual_server server(lim);
    manual_client first(server);
    std::vector<std::unique_ptr<manual_client>> clients;
    for (int i = 0; i < 3; ++i) {  // the fourth place is for the unix socket
        clients.push_back(std::make_unique<manual_client>(server));
        CHECK(clients.back()->ask("CLIENT GETNAME") == "NOT_FOUND\n");
    }
    server.time.advance(1s);
    for (int i = 0; i < 10; ++i) {
        CHECK(manual_client(server).rest() == too_many);
    }
    for (const auto& each : clients) {
        CHECK(each->ask("CLIENT GETNAME") == "NOT_FOUND\n");
    }
    CHECK(server.db.count.administrative_clients == 3);
}

TEST_CASE("the oldest connection that has not administered for half a second makes room") {
    limits lim;
    lim.administrators_max = 4;
    lim.clients_max = 1;
    manual_server server(lim);
    manual_client first(server);
    manual_client silent(server);
    manual_client administrator(server);
    CHECK(administrator.ask("CLIENT GETNAME") == "NOT_FOUND\n");
    server.until([&] { return server.db.count.administrative_clients == 2; });
    server.time.advance(400ms);
    manual_client young(server);
    server.until([&] { return server.db.count.administrative_clients == 3; });
    CHECK(manual_client(server).rest() == too_many);
    server.time.advance(200ms);
    manual_client next(server);
    CHECK(next.ask("CLIENT GETNAME") == "NOT_FOUND\n");
    CHECK(silent.rest() == too_many);
    CHECK(manual_client(server).rest() == too_many);
    CHECK(young.ask("CLIENT GETNAME") == "NOT_FOUND\n");
    CHECK(administrator.ask("CLIENT GETNAME") == "NOT_FOUND\n");
}

TEST_CASE("a right password over an administrative connection waits for a second at most") {
    manual_server server(limits{}, true);
    peer guesser(server.db.client_memory(), server.db.entries().secret());
    peer administrator(server.db.client_memory(), server.db.entries().secret());
    administrator.administrative = true;
    for (int i = 0; i < 100; ++i) {
        server.db.pace_password(guesser, false);
    }
    CHECK(server.db.pace_password(guesser, true) > 1s);
    CHECK(server.db.pace_password(administrator, true) == 1s);
}

TEST_CASE("an administrative connection has two seconds for the password, whatever it sends") {
    limits lim;
    lim.clients_max = 1;
    manual_server server(lim, true);
    manual_client first(server);
    manual_client guest(server);
    manual_client administrator(server);
    CHECK(administrator.ask("AUTH secret") == "+OK\r\n");
    for (int i = 0; i < 4; ++i) {
        CHECK(guest.ask("INFO") == no_password);
        CHECK(administrator.ask("CLIENT GETNAME") == "NOT_FOUND\n");
        server.time.advance(500ms);
    }
    server.time.advance(300ms);
    CHECK(guest.rest() == too_many);
    CHECK(administrator.ask("CLIENT GETNAME") == "NOT_FOUND\n");
}

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

TEST_CASE("a client that reads none of its replies is closed after the write time-out") {
    limits lim;
    lim.write_timeout = 7s;
    stepped_server server(lim);
    connection deaf(server.port());
    ask_for_much(deaf);
    server.settle();
    REQUIRE(server.db.count.keyspace_hits > 0);
    server.advance(6s);
    CHECK(server.db.count.connected_clients == 1);
    CHECK(server.db.count.closed_unread == 0);
    server.advance(2s);
    CHECK(server.db.count.connected_clients == 0);
    CHECK(server.db.count.closed_unread == 1);
}

TEST_CASE("a drain closes connections that do not end in time") {
    limits lim;
    lim.drain = 10s;
    stepped_server server(lim);
    connection deaf(server.port());
    ask_for_much(deaf);
    server.settle();
    REQUIRE(server.db.count.keyspace_hits > 0);
    bool drained = false;
    server.serving.drain([&] { drained = true; });
    server.advance(lim.drain_patience() - 1ms);
    CHECK_FALSE(drained);
    CHECK(server.db.count.connected_clients == 1);
    server.advance(1ms);
    CHECK(drained);
    CHECK(server.db.count.connected_clients == 0);
}

TEST_CASE("what several clients ask for is prefetched before the first command runs") {
    const std::string get = "*2\r\n$3\r\nGET\r\n$1\r\na\r\n";
    stepped_server server{limits{}};
    connection first(server.port());
    connection second(server.port());
    server.settle();
    first.send(get);
    second.send(get);
    server.settle();
    CHECK(server.db.count.keyspace_misses == 2);
    CHECK(server.entries.prefetched() == 2);
}

TEST_CASE("clients that wait for a key leave the server nothing to do") {
    stepped_server server{limits{}};
    std::vector<std::unique_ptr<connection>> waiting;
    for (int i = 0; i < 50; ++i) {
        waiting.push_back(std::make_unique<connection>(server.port()));
        waiting.back()->send("WAITKEY k 9000000000000000000\n");
        server.settle();
    }
    REQUIRE(server.db.waiting_clients() == 50);
    server.advance(10s);  // by then idle sessions have given memory back
    CHECK(server.advance(1h) == 0);
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
