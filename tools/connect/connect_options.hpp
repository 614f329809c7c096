#pragma once

#include <butterdb/net/client.hpp>

#include <CLI/App.hpp>

#include <chrono>
#include <cstdint>
#include <string>

namespace butterdb {

/// The options of every program that talks to a server: where it is, how to come in, how long to
/// wait. They fill `where`; `--tls-ca`, `--tls-cert` and `--tls-key` bring `--tls` along.
class connect_options {
public:
    /// `app` parses into this object, which stays where it is.
    explicit connect_options(CLI::App& app);
    connect_options(const connect_options&) = delete;
    connect_options& operator=(const connect_options&) = delete;

    /// After parsing: reads the password. Throws password_error.
    server_address address() const;
    std::chrono::seconds timeout() const noexcept { return std::chrono::seconds(timeout_); }

    /// Whether the command line itself, and not the environment, chooses a server.
    static bool is_place_given(int argc, const char* const* argv);

private:
    server_address where_;
    std::string password_file_;
    bool insecure_ = false;
    std::uint32_t timeout_ = 10;
};

}  // namespace butterdb
