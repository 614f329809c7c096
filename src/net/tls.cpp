#include <butterdb/net/tls.hpp>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <array>
#include <memory>
#include <utility>

namespace butterdb {

namespace {

using asio::ssl::context;

void require_modern(context& tls) {
    auto* const native = tls.native_handle();
    ::SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
    ::SSL_CTX_set_options(
        native, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    ::SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS);  // an idle connection keeps none
    ::SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_OFF);
}

void check(const asio::error_code& ec, const char* what, const std::string& path) {
    if (ec) {
        throw tls_error(std::string("cannot use the ") + what + " " + path + ": " + ec.message());
    }
}

// Loads one's own certificate and its key. OpenSSL would ask for the pass phrase of an encrypted
// key at the terminal, and the whole process would wait for it: it gets an empty one.
void load_identity(context& tls, const tls_files& files) {
    const auto was_asked = std::make_shared<bool>(false);
    tls.set_password_callback([was_asked](std::size_t, context::password_purpose) {
        *was_asked = true;
        return std::string();
    });
    asio::error_code ec;
    tls.use_certificate_chain_file(files.certificate, ec);
    check(ec, "certificate", files.certificate);
    tls.use_private_key_file(files.key, context::pem, ec);
    if (ec && *was_asked) {
        throw tls_error(
            "cannot use the key " + files.key +
            ": it is encrypted; decrypt it first (openssl pkey -in ENCRYPTED -out KEY)");
    }
    check(ec, "key", files.key);
}

void load_authority(context& tls, const tls_files& files) {
    asio::error_code ec;
    tls.load_verify_file(files.authority, ec);
    check(ec, "authority's certificate", files.authority);
}

}  // namespace

context make_server_tls(const tls_files& files) {
    context tls(context::tls_server);
    require_modern(tls);
    load_identity(tls, files);
    constexpr std::array<unsigned char, 8> name{'b', 'u', 't', 't', 'e', 'r', 'd', 'b'};
    ::SSL_CTX_set_session_id_context(tls.native_handle(), name.data(), name.size());
    if (!files.authority.empty()) {
        load_authority(tls, files);
        tls.set_verify_mode(asio::ssl::verify_peer | asio::ssl::verify_fail_if_no_peer_cert);
    }
    return tls;
}

context make_client_tls(const tls_files& files, bool verify) {
    context tls(context::tls_client);
    require_modern(tls);
    if (!files.certificate.empty()) {
        load_identity(tls, files);
    }
    if (!files.authority.empty()) {
        load_authority(tls, files);
    } else {
        asio::error_code ignored;  // a system without its own is told so by the handshake
        tls.set_default_verify_paths(ignored);
    }
    tls.set_verify_mode(verify ? asio::ssl::verify_peer : asio::ssl::verify_none);
    return tls;
}

task<asio::error_code> shake_hands(tls_stream& stream) {
    asio::error_code ec;
    co_await stream.async_handshake(asio::ssl::stream_base::server, into(ec));
    co_return ec;
}

task<> say_goodbye(tls_stream& stream) {
    ::SSL_set_shutdown(
        stream.native_handle(), ::SSL_get_shutdown(stream.native_handle()) | SSL_RECEIVED_SHUTDOWN);
    asio::error_code ignored;  // the peer may be gone
    co_await stream.async_shutdown(into(ignored));
}

}  // namespace butterdb
