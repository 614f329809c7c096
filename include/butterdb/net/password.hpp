#pragma once

#include <array>
#include <filesystem>
#include <optional>
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
    using digest = std::array<unsigned char, 32>;

    explicit password(std::string_view text) noexcept : digest_(digest_of(text)) {}
    explicit password(const digest& of_text) noexcept : digest_(of_text) {}

    /// Returns the digest of a password.
    static digest digest_of(std::string_view text) noexcept;

    /// Compares digests, in a time that does not depend on what they are.
    bool is(std::string_view text) const noexcept;

private:
    digest digest_;
};

/// Overwrites `text`, so that it is found neither in the memory of the process nor in a core dump.
void erase_secret(std::string& text) noexcept;

/// Returns the password of the environment variable, which is then erased, also from
/// /proc/PID/environ, and unset. Returns nullopt when it is not set. Throws password_error when it
/// is longer than `limits::password_bytes_max`.
std::optional<password> take_password_of_environment(const char* variable);

/// Returns the password in a file: its only line, without its end. Throws password_error when the
/// file cannot be read, or holds no password of at most `limits::password_bytes_max` bytes. Leaves
/// no other copy of it in memory.
std::string read_password_file(const std::filesystem::path& path);

/// The users who may read a file.
enum class readers { owner, group, everybody };
readers readers_of(const std::filesystem::path& path) noexcept;

}  // namespace butterdb
