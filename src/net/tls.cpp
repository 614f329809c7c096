#include <butterdb/base/limits.hpp>
#include <butterdb/net/tls.hpp>

#include <malloc.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <new>
#include <utility>

namespace butterdb {

namespace {

using asio::ssl::context;

// The most that one call of `write` encrypts before others have their turn, bytes.
constexpr std::size_t write_bytes_max = 64 * KiB;

// The most that a record holds, bytes.
constexpr std::size_t record_bytes_max = SSL3_RT_MAX_PLAIN_LENGTH;

// Of a client's certificate with those between it and the authority, bytes. Three of RSA take 5
// KiB.
constexpr long certificates_bytes_max = 16 * KiB;

// Bytes that OpenSSL and the record sinks have allocated and not freed. There is one thread.
std::int64_t openssl_bytes = 0;

void count_block(void* block, int sign) noexcept {
    openssl_bytes += sign * static_cast<std::int64_t>(::malloc_usable_size(block));
}

// OpenSSL's three functions of memory, with the place in its sources that calls them.
void* allocate(std::size_t bytes, const char* /*file*/, int /*line*/) {
    void* const block = std::malloc(bytes);
    count_block(block, 1);
    return block;
}

void release(void* block, const char* /*file*/, int /*line*/) {
    count_block(block, -1);
    std::free(block);
}

void* reallocate(void* block, std::size_t bytes, const char* file, int line) {
    if (bytes == 0) {
        release(block, file, line);
        return nullptr;
    }
    const auto before = static_cast<std::int64_t>(::malloc_usable_size(block));
    void* const moved = std::realloc(block, bytes);
    if (moved != nullptr) {
        openssl_bytes -= before;
        count_block(moved, 1);
    }
    return moved;
}

void require_modern(context& tls, const tls_files& files) {
    auto* const native = tls.native_handle();
    ::SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
    ::SSL_CTX_set_options(
        native, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    ::SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS);  // an idle connection keeps none
    ::SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_OFF);
    if (::SSL_CTX_set_cipher_list(native, files.ciphers.c_str()) != 1) {
        throw tls_error("cannot use the ciphers " + files.ciphers + ": OpenSSL knows none of them");
    }
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

void load_revocations(context& tls, const std::string& path) {
    auto* const known = ::SSL_CTX_get_cert_store(tls.native_handle());
    auto* const files = ::X509_STORE_add_lookup(known, ::X509_LOOKUP_file());
    ::ERR_clear_error();
    if (files == nullptr || ::X509_load_crl_file(files, path.c_str(), X509_FILETYPE_PEM) < 1) {
        const asio::error_code ec(
            static_cast<int>(::ERR_get_error()), asio::error::get_ssl_category());
        check(ec, "revoked certificates", path);
        throw tls_error("cannot use the revoked certificates " + path + ": there is no CRL in it");
    }
    ::X509_STORE_set_flags(known, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
}

// OpenSSL takes a certificate without any purpose for one with every purpose.
int require_client_purpose(int is_good, X509_STORE_CTX* found) {
    if (is_good != 1 || ::X509_STORE_CTX_get_error_depth(found) != 0) {
        return is_good;
    }
    auto* const certificate = ::X509_STORE_CTX_get_current_cert(found);
    const bool has_purposes = (::X509_get_extension_flags(certificate) & EXFLAG_XKUSAGE) != 0;
    if (has_purposes && (::X509_get_extended_key_usage(certificate) & XKU_SSL_CLIENT) != 0) {
        return 1;
    }
    ::X509_STORE_CTX_set_error(found, X509_V_ERR_INVALID_PURPOSE);
    return 0;
}

}  // namespace

context make_server_tls(const tls_files& files) {
    context tls(context::tls_server);
    auto* const native = tls.native_handle();
    require_modern(tls, files);
    load_identity(tls, files);
    // All that has arrived is read in one system call.
    ::SSL_CTX_set_read_ahead(native, 1);
#ifdef SSL_OP_IGNORE_UNEXPECTED_EOF
    // Without it OpenSSL 3 writes nothing more to a peer that ended its side without close_notify.
    ::SSL_CTX_set_options(native, SSL_OP_IGNORE_UNEXPECTED_EOF);
#endif
    ::SSL_CTX_set_max_cert_list(native, certificates_bytes_max);
    constexpr std::array<unsigned char, 8> name{'b', 'u', 't', 't', 'e', 'r', 'd', 'b'};
    ::SSL_CTX_set_session_id_context(native, name.data(), name.size());
    if (!files.authority.empty()) {
        load_authority(tls, files);
        ::SSL_CTX_set_verify(
            native, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, require_client_purpose);
    }
    if (!files.revocations.empty()) {
        load_revocations(tls, files.revocations);
    }
    return tls;
}

context make_client_tls(const tls_files& files, bool verify) {
    context tls(context::tls_client);
    require_modern(tls, files);
    if (!files.certificate.empty()) {
        load_identity(tls, files);
    }
    if (!files.authority.empty()) {
        load_authority(tls, files);
    } else {
        asio::error_code
            ignored;  // without the system's authorities the handshake says why it fails
        tls.set_default_verify_paths(ignored);
    }
    tls.set_verify_mode(verify ? asio::ssl::verify_peer : asio::ssl::verify_none);
    return tls;
}

bool count_tls_memory() noexcept {
    return ::CRYPTO_set_mem_functions(allocate, reallocate, release) == 1;
}

// Takes all that OpenSSL writes: sends what the socket takes, and keeps the rest. OpenSSL itself
// never has part of a record to write, which would keep it from reading a request to change keys.
class tls_stream::record_sink {
public:
    explicit record_sink(int socket) noexcept : socket_(socket) {}
    record_sink(const record_sink&) = delete;
    record_sink& operator=(const record_sink&) = delete;
    ~record_sink() { release(); }

    /// Returns null if memory is exhausted; the caller owns it. The sink outlives it.
    BIO* make_bio() {
        static BIO_METHOD* const method = make_method();
        auto* const made = method == nullptr ? nullptr : ::BIO_new(method);
        if (made != nullptr) {
            ::BIO_set_data(made, this);
            ::BIO_set_init(made, 1);
        }
        return made;
    }

    bool is_empty() const noexcept { return unsent_.empty(); }

    /// Sends what the socket takes. Returns false if something is left, or `ec` is set.
    bool flush(asio::error_code& ec) noexcept {
        if (is_empty()) {
            return true;
        }
        const auto sent = send(unsent_);
        if (sent < 0) {
            ec = asio::error_code(errno, asio::error::get_system_category());
            return false;
        }
        unsent_.erase(0, static_cast<std::size_t>(sent));
        if (is_empty()) {
            release();
        }
        return is_empty();
    }

private:
    static BIO_METHOD* make_method() {
        auto* const made =
            ::BIO_meth_new(::BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "butterdb records");
        if (made != nullptr) {
            ::BIO_meth_set_write(made, [](BIO* to, const char* bytes, int size) {
                return static_cast<record_sink*>(::BIO_get_data(to))->take(bytes, size);
            });
            ::BIO_meth_set_ctrl(
                made, [](BIO* /*to*/, int command, long /*number*/, void* /*more*/) {
                    return command == BIO_CTRL_FLUSH ? 1L : 0L;
                });
        }
        return made;
    }

    // Returns the bytes sent, 0 if the socket takes none, or -1 with errno.
    ssize_t send(std::string_view bytes) const noexcept {
        const auto sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        const bool is_full =
            sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
        return is_full ? 0 : sent;
    }

    int take(const char* bytes, int size) noexcept {
        std::string_view record(bytes, static_cast<std::size_t>(size));
        const auto sent = is_empty() ? send(record) : 0;
        if (sent < 0) {
            return -1;
        }
        record.remove_prefix(static_cast<std::size_t>(sent));
        try {
            openssl_bytes -= capacity();
            unsent_.append(record);
            openssl_bytes += capacity();
        } catch (const std::bad_alloc&) {
            openssl_bytes += capacity();
            errno = ENOMEM;
            return -1;
        }
        return size;
    }

    std::int64_t capacity() const noexcept { return static_cast<std::int64_t>(unsent_.capacity()); }
    void release() noexcept {
        openssl_bytes -= capacity();
        std::string().swap(unsent_);
        openssl_bytes += capacity();
    }

    int socket_;
    std::string unsent_;  // at most a record, and what OpenSSL has to say by itself
};

tls_stream::tls_stream(stream_socket socket, asio::ssl::context& context) noexcept
    : socket_(std::move(socket)), context_(&context) {}
tls_stream::tls_stream(tls_stream&&) noexcept = default;
tls_stream::~tls_stream() = default;

void tls_stream::charge_to(budget_resource* owner) noexcept {
    const auto held = std::exchange(held_, 0);
    if (owner_ != nullptr) {
        owner_->refund(static_cast<std::uint64_t>(held));
    }
    owner_ = owner;
    recharge(held);
}

// What OpenSSL frees for one stream may be what another had it allocate: never less than nothing.
void tls_stream::recharge(std::int64_t more) noexcept {
    const auto before = held_;
    held_ = std::max<std::int64_t>(held_ + more, 0);
    if (owner_ != nullptr && held_ > before) {
        owner_->charge(static_cast<std::uint64_t>(held_ - before));
    } else if (owner_ != nullptr) {
        owner_->refund(static_cast<std::uint64_t>(before - held_));
    }
}

// Calls act(), one operation of OpenSSL, and tells what came of it.
template <typename Act>
tls_stream::wants tls_stream::perform(asio::error_code& ec, Act act) {
    if (!tls_) {
        ec = asio::error::operation_aborted;
        return wants::nothing;
    }
    const auto before = openssl_bytes;
    ::ERR_clear_error();
    errno = 0;
    const int result = act();
    recharge(openssl_bytes - before);
    return result == 1 ? wants::nothing : outcome(result, ec);
}

tls_stream::wants tls_stream::outcome(int result, asio::error_code& ec) {
    const auto failure = errno;
    switch (::SSL_get_error(tls_.get(), result)) {
        case SSL_ERROR_WANT_READ:
            return wants::input;
        case SSL_ERROR_WANT_WRITE:
            return wants::output;
        case SSL_ERROR_ZERO_RETURN:
            ec = asio::error::eof;
            return wants::nothing;
        case SSL_ERROR_SYSCALL:
            has_failed_ = true;
            ec = failure == 0 ? make_error_code(asio::ssl::error::stream_truncated)
                              : asio::error_code(failure, asio::error::get_system_category());
            return wants::nothing;
        default:
            break;
    }
    has_failed_ = true;
    ec = asio::error_code(static_cast<int>(::ERR_get_error()), asio::error::get_ssl_category());
    return wants::nothing;
}

// Sends what is left of records. Returns false if something still is, or `ec` is set.
bool tls_stream::flush(asio::error_code& ec) {
    if (!tls_) {
        ec = asio::error::operation_aborted;
        return false;
    }
    const auto before = openssl_bytes;
    const bool is_done = sink_->flush(ec);
    has_failed_ = has_failed_ || ec;
    recharge(openssl_bytes - before);
    return is_done;
}

bool tls_stream::prepare_tls() {
    sink_ = std::make_unique<record_sink>(socket_.native_handle());
    tls_.reset(::SSL_new(context_->native_handle()));
    auto* const input = ::BIO_new_socket(socket_.native_handle(), BIO_NOCLOSE);
    auto* const output = sink_->make_bio();
    if (!tls_ || input == nullptr || output == nullptr) {
        ::BIO_free(input);
        ::BIO_free(output);
        tls_.reset();
        return false;
    }
    ::SSL_set_bio(tls_.get(), input, output);
    ::SSL_set_accept_state(tls_.get());
    return true;
}

tls_stream::wants tls_stream::shake_hands(asio::error_code& ec) {
    if (!tls_ && socket_.is_open()) {
        const auto before = openssl_bytes;
        const bool is_prepared = prepare_tls();
        recharge(openssl_bytes - before);
        if (!is_prepared) {
            ec = asio::error::no_memory;
            return wants::nothing;
        }
    }
    if (!flush(ec)) {
        return ec ? wants::nothing : wants::output;
    }
    const auto next = perform(ec, [&] { return ::SSL_do_handshake(tls_.get()); });
    return ec || sink_->is_empty() ? next : wants::output;
}

std::string tls_stream::describe(const asio::error_code& ec) const {
    const auto verdict = tls_ ? ::SSL_get_verify_result(tls_.get()) : X509_V_OK;
    if (verdict == X509_V_OK) {
        return ec.message();
    }
    const std::string text = ec.message() + ": " + ::X509_verify_cert_error_string(verdict);
    return verdict == X509_V_ERR_INVALID_PURPOSE ? text + " (extendedKeyUsage lacks clientAuth)"
                                                 : text;
}

tls_stream::wants tls_stream::read(
    std::span<char> room, std::size_t& received, asio::error_code& ec) {
    const auto next =
        perform(ec, [&] { return ::SSL_read_ex(tls_.get(), room.data(), room.size(), &received); });
    asio::error_code ignored;  // the next write fails in the same way
    if (tls_) {
        flush(ignored);
    }
    return next;
}

tls_stream::wants tls_stream::write(
    std::string_view bytes, std::size_t& sent, asio::error_code& ec) {
    if (!flush(ec)) {
        return ec ? wants::nothing : wants::output;
    }
    sent = std::exchange(encrypted_, 0);
    while (!ec && sink_->is_empty() && sent < std::min(bytes.size(), write_bytes_max)) {
        const auto rest = bytes.substr(sent, record_bytes_max);
        std::size_t record = 0;
        perform(ec, [&] { return ::SSL_write_ex(tls_.get(), rest.data(), rest.size(), &record); });
        (sink_->is_empty() ? sent : encrypted_) += record;
    }
    return sent > 0 || ec ? wants::nothing : wants::output;
}

// Unless the peer counts as shut down, SSL_shutdown would read on.
tls_stream::wants tls_stream::end_records() noexcept {
    if (!tls_ || has_failed_) {
        return wants::nothing;
    }
    if (!has_said_end_ && ::SSL_is_init_finished(tls_.get()) == 1) {
        has_said_end_ = true;
        ::ERR_clear_error();
        ::SSL_set_shutdown(tls_.get(), ::SSL_get_shutdown(tls_.get()) | SSL_RECEIVED_SHUTDOWN);
        ::SSL_shutdown(tls_.get());
    }
    asio::error_code ec;
    return flush(ec) || ec ? wants::nothing : wants::output;
}

void tls_stream::close(asio::error_code& ec) {
    end_records();
    tls_.reset();
    sink_.reset();
    recharge(-held_);
    socket_.close(ec);
}

task<asio::error_code> await_first_byte(tls_stream& stream) {
    asio::error_code ec = asio::error::would_block;
    while (ec == asio::error::would_block || ec == asio::error::try_again) {
        co_await stream.socket().async_wait(stream_socket::wait_read, into(ec));
        if (!ec) {
            char first = 0;
            stream.socket().receive(asio::buffer(&first, 1), stream_socket::message_peek, ec);
        }
    }
    co_return ec;
}

task<asio::error_code> await_event(tls_stream& stream, tls_stream::wants what) {
    const auto event =
        what == tls_stream::wants::input ? stream_socket::wait_read : stream_socket::wait_write;
    asio::error_code ec;
    co_await stream.socket().async_wait(event, into(ec));
    co_return ec;
}

task<> say_goodbye(tls_stream& stream) {
    asio::error_code ec;
    while (!ec && stream.end_records() == tls_stream::wants::output) {
        ec = co_await await_event(stream, tls_stream::wants::output);
    }
}

}  // namespace butterdb
