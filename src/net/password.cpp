#include <butterdb/base/limits.hpp>
#include <butterdb/net/password.hpp>

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <cerrno>
#include <cstddef>
#include <fstream>
#include <system_error>

namespace butterdb {

namespace {

using digest = std::array<unsigned char, SHA256_DIGEST_LENGTH>;

digest digest_of(std::string_view text) noexcept {
    digest made{};
    ::SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), made.data());
    return made;
}

// A little more than a password may have, so that one too long is seen as such.
std::string read_some(const std::filesystem::path& path) {
    std::string text(limits{}.password_bytes_max + 3, '\0');
    std::ifstream in(path, std::ios::binary);
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (!in && !in.eof()) {
        throw password_error(
            "cannot read the password file " + path.string() + ": " +
            std::generic_category().message(errno));
    }
    text.resize(static_cast<std::size_t>(in.gcount()));
    return text;
}

}  // namespace

password::password(std::string_view text) noexcept : digest_(digest_of(text)) {}

bool password::is(std::string_view text) const noexcept {
    const auto given = digest_of(text.substr(0, limits{}.password_bytes_max + 1));
    return ::CRYPTO_memcmp(given.data(), digest_.data(), digest_.size()) == 0;
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

bool is_open_to_all(const std::filesystem::path& path) noexcept {
    std::error_code ignored;
    const auto allowed = std::filesystem::status(path, ignored).permissions();
    return (allowed & std::filesystem::perms::others_read) != std::filesystem::perms::none;
}

}  // namespace butterdb
