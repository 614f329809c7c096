#pragma once

#include <array>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>

namespace butterdb {

/// Why a password cannot be had: one line for people.
class password_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// A password, as its SHA-256 digest.
class password {
public:
    explicit password(std::string_view text) noexcept;

    /// Compares digests, in a time that does not depend on what they are.
    bool is(std::string_view text) const noexcept;

private:
    std::array<unsigned char, 32> digest_;
};

/// The password in a file: its only line, without its end. Throws password_error when the file
/// cannot be read, or holds no password of at most `limits::password_bytes_max` bytes.
std::string read_password_file(const std::filesystem::path& path);

/// True when others than its owner and group may read the file.
bool is_open_to_all(const std::filesystem::path& path) noexcept;

}  // namespace butterdb
