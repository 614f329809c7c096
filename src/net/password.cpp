#include <butterdb/base/limits.hpp>
#include <butterdb/net/password.hpp>

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <system_error>
#include <tuple>

namespace butterdb {

namespace {

// Reads a little more than a password may have, so that a longer one is seen as such. A stream
// would keep a copy in its buffer.
std::string read_some(const std::filesystem::path& path) {
    std::string text(limits{}.password_bytes_max + 3, '\0');
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    std::size_t size = 0;
    ssize_t received = file < 0 ? -1 : 1;
    while (received > 0 && size < text.size()) {
        received = ::read(file, text.data() + size, text.size() - size);
        size += static_cast<std::size_t>(std::max<ssize_t>(received, 0));
    }
    const int why = errno;
    if (file >= 0) {
        ::close(file);
    }
    if (received < 0) {
        throw password_error(
            "cannot read the password file " + path.string() + ": " +
            std::generic_category().message(why));
    }
    text.resize(size);
    return text;
}

}  // namespace

password::digest password::digest_of(std::string_view text) noexcept {
    static_assert(std::tuple_size_v<digest> == SHA256_DIGEST_LENGTH);
    digest made{};
    ::SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), made.data());
    return made;
}

bool password::is(std::string_view text) const noexcept {
    const auto given = digest_of(text.substr(0, limits{}.password_bytes_max + 1));
    return ::CRYPTO_memcmp(given.data(), digest_.data(), digest_.size()) == 0;
}

void erase_secret(std::string& text) noexcept {
    ::OPENSSL_cleanse(text.data(), text.size());
    text.clear();
}

std::optional<password> take_password_of_environment(const char* variable) {
    char* const value = std::getenv(variable);
    if (value == nullptr) {
        return std::nullopt;
    }
    const std::string_view text(value);
    const password taken(text);
    const auto size = text.size();
    ::OPENSSL_cleanse(value, size);
    ::unsetenv(variable);
    if (size > limits{}.password_bytes_max) {
        throw password_error(
            "a password has at most " + std::to_string(limits{}.password_bytes_max) + " bytes");
    }
    return taken;
}

std::string read_password_file(const std::filesystem::path& path) {
    auto text = read_some(path);
    if (text.ends_with('\n')) {
        text.pop_back();
    }
    if (text.ends_with('\r')) {
        text.pop_back();
    }
    const auto bytes_max = limits{}.password_bytes_max;
    const bool one_line = text.find_first_of(std::string_view("\n\0", 2)) == text.npos;
    if (text.empty() || text.size() > bytes_max || !one_line) {
        throw password_error(
            "the password file " + path.string() + " is to hold one line of 1 to " +
            std::to_string(bytes_max) + " bytes");
    }
    return text;
}

readers readers_of(const std::filesystem::path& path) noexcept {
    using std::filesystem::perms;
    std::error_code ignored;
    const auto allowed = std::filesystem::status(path, ignored).permissions();
    if ((allowed & perms::others_read) != perms::none) {
        return readers::everybody;
    }
    return (allowed & perms::group_read) != perms::none ? readers::group : readers::owner;
}

}  // namespace butterdb
