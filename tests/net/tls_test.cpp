#include "support/catch.hpp"
#include <butterdb/net/tls.hpp>

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <memory>
#include <string>

using namespace butterdb;

namespace {

template <auto Free>
struct freed_by {
    template <typename T>
    void operator()(T* what) const noexcept {
        Free(what);
    }
};
template <typename T, auto Free>
using owned = std::unique_ptr<T, freed_by<Free>>;

// A certificate that signs itself, and its key, in one temporary file.
class certificate_file {
public:
    certificate_file() {
        const owned<EVP_PKEY, ::EVP_PKEY_free> key(::EVP_EC_gen("P-256"));
        const owned<X509, ::X509_free> made(::X509_new());
        ::X509_gmtime_adj(::X509_getm_notBefore(made.get()), 0);
        ::X509_gmtime_adj(::X509_getm_notAfter(made.get()), 3600);
        ::X509_set_pubkey(made.get(), key.get());
        auto* const name = ::X509_get_subject_name(made.get());
        const std::array<unsigned char, 4> text{'t', 'e', 's', 't'};
        ::X509_NAME_add_entry_by_txt(
            name, "CN", MBSTRING_ASC, text.data(), static_cast<int>(text.size()), -1, 0);
        ::X509_set_issuer_name(made.get(), name);
        REQUIRE(::X509_sign(made.get(), key.get(), ::EVP_sha256()) > 0);
        const int file = ::mkstemp(path_.data());
        REQUIRE(file >= 0);
        const owned<std::FILE, std::fclose> out(::fdopen(file, "w"));
        REQUIRE(::PEM_write_X509(out.get(), made.get()) == 1);
        REQUIRE(
            ::PEM_write_PrivateKey(out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) ==
            1);
    }
    certificate_file(const certificate_file&) = delete;
    certificate_file& operator=(const certificate_file&) = delete;
    ~certificate_file() { ::unlink(path_.c_str()); }

    tls_files files() const { return {path_, path_, {}, {}, std::string(modern_ciphers)}; }

private:
    std::string path_ = "/tmp/butterdb-test-XXXXXX";
};

// Both ends of a connection whose handshake is done, on sockets that do not block.
class tls_pair {
public:
    tls_pair() : server_(make_socket(), server_context_) {
        ::SSL_set_fd(client_.get(), sockets_[1]);
        ::SSL_set_connect_state(client_.get());
        asio::error_code ec;
        for (int step = 0; step < 10; ++step) {
            ::SSL_do_handshake(client_.get());
            server_.shake_hands(ec);
            REQUIRE_FALSE(ec);
        }
        REQUIRE(::SSL_is_init_finished(client_.get()) == 1);
    }
    tls_pair(const tls_pair&) = delete;
    tls_pair& operator=(const tls_pair&) = delete;
    ~tls_pair() { ::close(sockets_[1]); }

    tls_stream& server() { return server_; }
    SSL* client() { return client_.get(); }

    // Writes until the socket takes nothing more, with part of a record in hand. Returns the bytes
    // that were taken.
    std::size_t fill(std::string_view bytes) {
        std::size_t all = 0;
        for (std::size_t sent = 1; sent > 0; all += sent) {
            asio::error_code ec;
            sent = try_write(server_, bytes.substr(all), ec);
            REQUIRE_FALSE(ec);
        }
        return all;
    }

    // What the client can read now.
    std::string read_at_client() {
        std::string all;
        std::string room(100'000, '\0');
        for (std::size_t count = 0;
             ::SSL_read_ex(client_.get(), room.data(), room.size(), &count) == 1;) {
            all.append(room, 0, count);
        }
        return all;
    }

private:
    stream_socket make_socket() {
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets_.data()) == 0);
        return {io_, asio::generic::stream_protocol(AF_UNIX, 0), sockets_[0]};
    }

    certificate_file certificate_;
    asio::io_context io_;
    asio::ssl::context server_context_{make_server_tls(certificate_.files())};
    owned<SSL_CTX, ::SSL_CTX_free> client_context_{::SSL_CTX_new(::TLS_client_method())};
    owned<SSL, ::SSL_free> client_{::SSL_new(client_context_.get())};
    std::array<int, 2> sockets_{};
    tls_stream server_;
};

std::string counted_text(std::size_t size) {
    std::string text;
    for (int i = 0; text.size() < size; ++i) {
        text += std::to_string(i) + " ";
    }
    return text;
}

}  // namespace

TEST_CASE("a request to change keys is read while part of a record waits to be sent") {
    tls_pair ends;
    const auto text = counted_text(4'000'000);
    auto sent = ends.fill(text);
    REQUIRE(sent < text.size());
    REQUIRE(::SSL_key_update(ends.client(), SSL_KEY_UPDATE_REQUESTED) == 1);
    REQUIRE(::SSL_write(ends.client(), "PING\n", 5) == 5);
    std::array<char, 100> room{};
    asio::error_code ec;
    CHECK(try_read(ends.server(), room, ec) == 5);
    CHECK_FALSE(ec);
    std::string received;
    while (received.size() < text.size()) {
        received += ends.read_at_client();
        sent += ends.fill(std::string_view(text).substr(sent));
    }
    CHECK(sent == text.size());
    CHECK(received == text);
}

TEST_CASE("close_notify follows the record of which part waits to be sent") {
    tls_pair ends;
    const auto text = counted_text(4'000'000);
    const auto sent = ends.fill(text);
    CHECK(ends.server().end_records() == tls_stream::wants::output);
    auto received = ends.read_at_client();
    CHECK(ends.server().end_records() == tls_stream::wants::nothing);
    received += ends.read_at_client();
    CHECK(received.size() >= sent);  // the record in hand was complete, too
    CHECK(text.starts_with(received));
    CHECK((::SSL_get_shutdown(ends.client()) & SSL_RECEIVED_SHUTDOWN) != 0);
}

TEST_CASE("the end that a client says is read as the end of the input, again and again") {
    tls_pair ends;
    ::SSL_shutdown(ends.client());
    for (int i = 0; i < 3; ++i) {
        std::array<char, 100> room{};
        asio::error_code ec;
        CHECK(try_read(ends.server(), room, ec) == 0);
        CHECK(ec == asio::error::eof);
    }
}
