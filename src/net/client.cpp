#include <butterdb/base/settings.hpp>
#include <butterdb/net/client.hpp>
#include <butterdb/protocol/quoting.hpp>

#include <asio/ip/tcp.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/ssl/host_name_verification.hpp>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <utility>

namespace butterdb {

std::string name_of(const server_address& where) {
    if (!where.unix_socket.empty()) {
        return "unix:" + where.unix_socket;
    }
    const bool is_ipv6 = where.host.find(':') != std::string::npos;
    return (is_ipv6 ? '[' + where.host + ']' : where.host) + ':' + std::to_string(where.port);
}

namespace {

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

}  // namespace

server_access::server_access(const server_address& where)
    : where_(where), endpoints_(resolve(where)) {
    if (where.tls) {
        tls_.emplace(make_client_tls(where.files, where.verify_server));
    }
}

client_stream::client_stream(asio::io_context& io, sweeper& timeouts, steady::duration timeout)
    : socket_(io), timeout_(timeout), watch_(timeouts, socket_) {}

task<asio::error_code> client_stream::connect(server_access& to) {
    asio::error_code ec = asio::error::host_not_found;
    for (const auto& endpoint : to.endpoints()) {
        asio::error_code ignored;
        socket_.close(ignored);
        expect_reply();
        co_await socket_.async_connect(endpoint, into(ec));
        if (!ec) {
            socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
            break;
        }
    }
    if (!ec) {
        prepare_stream(socket_);
    }
    if (!ec && to.tls() != nullptr) {
        ec = co_await secure(*to.tls(), to.where());
    }
    if (!ec) {
        rest();
    }
    co_return ec;
}

task<asio::error_code> client_stream::secure(asio::ssl::context& tls, const server_address& where) {
    secured_.emplace(socket_, tls);
    asio::error_code ec;
    if (where.unix_socket.empty() && where.verify_server) {
        secured_->set_verify_callback(asio::ssl::host_name_verification(where.host), ec);
        host_ = where.host;
        auto name = where.host;
        ::SSL_ctrl(  // what SSL_set_tlsext_host_name is, without its cast
            secured_->native_handle(),
            SSL_CTRL_SET_TLSEXT_HOSTNAME,
            TLSEXT_NAMETYPE_host_name,
            name.data());
    }
    expect_reply();
    co_await secured_->async_handshake(asio::ssl::stream_base::client, into(ec));
    co_return ec;
}

task<asio::error_code> client_stream::send() {
    asio::error_code ec;
    if (!secured_) {
        const auto sent = try_write(socket_, requests_.view(), ec);
        requests_.consume(sent);
    }
    while (!ec && !requests_.empty()) {
        const auto unsent = asio::buffer(requests_.view());
        std::size_t sent = 0;
        if (secured_) {
            sent = co_await secured_->async_write_some(unsent, into(ec));
        } else {
            sent = co_await socket_.async_write_some(unsent, into(ec));
        }
        requests_.consume(sent);
    }
    co_return ec;
}

task<asio::error_code> client_stream::receive() {
    asio::error_code ec;
    const auto room = asio::buffer(input_.prepare(receive_bytes), receive_bytes);
    std::size_t received = 0;
    if (secured_) {
        received = co_await secured_->async_read_some(room, into(ec));
    } else {
        received = co_await socket_.async_read_some(room, into(ec));
    }
    input_.commit(received);
    co_return ec;
}

// What OpenSSL found, or nothing. That the name is another is found by Asio, which has no word for
// it.
std::string client_stream::objection_to_certificate() {
    const auto found = ::SSL_get_verify_result(secured_->native_handle());
    if (found == X509_V_OK || found == X509_V_ERR_UNSPECIFIED) {
        return host_.empty() ? "" : ": it is not for " + host_;
    }
    return std::string(": ") + ::X509_verify_cert_error_string(found) +
           " (--tls-ca names who must have signed it)";
}

std::string client_stream::describe(const asio::error_code& ec) {
    const bool is_verdict =
        ec.category() == asio::error::get_ssl_category() &&
        ERR_GET_REASON(static_cast<unsigned long>(ec.value())) == SSL_R_CERTIFICATE_VERIFY_FAILED;
    if (secured_ && is_verdict) {
        return "certificate verify failed" + objection_to_certificate();
    }
    if (ec == asio::error::operation_aborted || ec == asio::error::bad_descriptor) {
        return "no answer in time";
    }
    if (ec == asio::error::access_denied) {
        return "the server refuses the password";
    }
    const bool closed = ec == asio::error::eof || ec == asio::ssl::error::stream_truncated;
    return closed ? "the server closed the connection" : ec.message();
}

void client_stream::stop_receiving() {
    asio::error_code ignored;
    socket_.cancel(ignored);
}

task<> client_stream::finish(steady::duration patience) {
    asio::error_code ec;
    socket_.shutdown(stream_socket::shutdown_send, ec);
    watch_.expect(awaits::leave, patience);
    while (!ec && input_.empty()) {
        ec = co_await receive();
    }
    close();
}

void client_stream::close() {
    asio::error_code ignored;
    socket_.close(ignored);
}

client::client(
    asio::io_context& io, sweeper& timeouts, steady::duration timeout, std::size_t reply_bytes_max)
    : client_stream(io, timeouts, timeout), reply_bytes_max_(reply_bytes_max) {}

task<asio::error_code> client::connect(server_access& to) {
    auto ec = co_await client_stream::connect(to);
    if (!ec && !to.where().password.empty()) {
        ec = co_await say_password(to.where().password);
        rest();
    }
    co_return ec;
}

task<asio::error_code> client::say_password(const std::string& password) {
    requests().append("AUTH ");
    append_argument(requests(), password);
    requests().append('\n');
    auto ec = co_await send();
    auto reply = next_reply();
    while (!ec && !reply) {
        expect_reply();
        ec = co_await receive();
        reply = next_reply();
    }
    if (reply && reply_reader::is_failure(*reply)) {
        ec = asio::error::access_denied;
        refusal_ = reply->substr(0, reply->find_first_of("\r\n"));
    }
    co_return ec;
}

std::string client::describe(const asio::error_code& ec) {
    const bool is_wrong_password = refusal_.find("WRONGPASS") != refusal_.npos;
    if (ec == asio::error::access_denied && !refusal_.empty() && !is_wrong_password) {
        return "the server says: " + refusal_;
    }
    return client_stream::describe(ec);
}

task<asio::error_code> client::receive() {
    input().consume(std::exchange(given_, 0));
    make_room();
    co_return co_await client_stream::receive();
}

// The buffer doubles, as any does, but not beyond the longest reply. Its last step is a large one,
// because the bytes of both steps are there while they are copied.
void client::make_room() {
    const auto most = reply_bytes_max_ + receive_bytes;
    if (input().room().size() >= receive_bytes || 4 * input().capacity() <= most) {
        return;
    }
    if (input().capacity() == most) {
        input().set_capacity(input().size());  // else nothing would move to the front
    }
    input().set_capacity(most);
}

std::optional<std::string_view> client::next_reply() {
    const auto rest = input().view().substr(given_);
    switch (reader_.look(rest)) {
        case reply_reader::status::incomplete:
            if (rest.size() > reply_bytes_max_) {
                throw reply_error("it is longer than " + size_text(reply_bytes_max_));
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

}  // namespace butterdb
