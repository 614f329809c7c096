#include <butterdb/net/client.hpp>

#include <asio/ip/tcp.hpp>
#include <asio/local/stream_protocol.hpp>

#include <utility>

namespace butterdb {

std::string name_of(const server_address& where) {
    if (!where.unix_socket.empty()) {
        return "unix:" + where.unix_socket;
    }
    const bool is_ipv6 = where.host.find(':') != std::string::npos;
    return (is_ipv6 ? '[' + where.host + ']' : where.host) + ':' + std::to_string(where.port);
}

std::vector<stream_socket::endpoint_type> resolve(const server_address& where) {
    if (!where.unix_socket.empty()) {
        return {asio::local::stream_protocol::endpoint(where.unix_socket)};
    }
    asio::io_context io;
    asio::ip::tcp::resolver resolver(io);
    std::vector<stream_socket::endpoint_type> found;
    for (const auto& each : resolver.resolve(where.host, std::to_string(where.port))) {
        found.emplace_back(each.endpoint());
    }
    return found;
}

client::client(
    asio::io_context& io, sweeper& timeouts, steady::duration timeout, std::size_t reply_bytes_max)
    : socket_(io),
      timeout_(timeout),
      reply_bytes_max_(reply_bytes_max),
      watch_(timeouts, socket_) {}

awaitable<asio::error_code> client::connect(
    const std::vector<stream_socket::endpoint_type>& where) {
    asio::error_code ec = asio::error::host_not_found;
    for (const auto& endpoint : where) {
        asio::error_code ignored;
        socket_.close(ignored);
        expect_reply();
        co_await socket_.async_connect(endpoint, into(ec));
        if (!ec) {
            socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
            rest();
            break;
        }
    }
    co_return ec;
}

awaitable<asio::error_code> client::send() {
    asio::error_code ec;
    while (!ec && !requests_.empty()) {
        const auto unsent = asio::buffer(requests_.view());
        const auto sent = co_await socket_.async_write_some(unsent, into(ec));
        requests_.consume(sent);
    }
    co_return ec;
}

awaitable<asio::error_code> client::receive() {
    input_.consume(std::exchange(given_, 0));
    asio::error_code ec;
    const auto room = asio::buffer(input_.prepare(receive_bytes), receive_bytes);
    const auto received = co_await socket_.async_read_some(room, into(ec));
    input_.commit(received);
    co_return ec;
}

std::optional<std::string_view> client::next_reply() {
    const auto rest = input_.view().substr(given_);
    switch (reader_.look(rest)) {
        case reply_reader::status::incomplete:
            if (rest.size() > reply_bytes_max_) {
                throw reply_error();
            }
            return std::nullopt;
        case reply_reader::status::broken:
            throw reply_error();
        case reply_reader::status::complete:
            break;
    }
    const auto reply = rest.substr(0, reader_.size());
    given_ += reply.size();
    reader_.reset();
    return reply;
}

std::string client::describe(const asio::error_code& ec) {
    if (ec == asio::error::operation_aborted || ec == asio::error::bad_descriptor) {
        return "no answer in time";
    }
    return ec == asio::error::eof ? "the server closed the connection" : ec.message();
}

void client::close() {
    asio::error_code ignored;
    socket_.close(ignored);
}

}  // namespace butterdb
