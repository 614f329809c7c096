#include "connect_options.hpp"

#include <butterdb/base/number.hpp>
#include <butterdb/net/password.hpp>
#include <butterdb/net/platform.hpp>

#include <CLI/Config.hpp>
#include <CLI/Error.hpp>
#include <CLI/Formatter.hpp>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <string_view>

namespace butterdb {

namespace {

// Adds an option that takes a whole number in decimal; CLI11 reads 010 as octal and 0x10 as
// hexadecimal.
template <typename Integer>
CLI::Option* add_number(
    CLI::App& app,
    const std::string& name,
    Integer& number,
    Integer least,
    const std::string& summary) {
    const auto read = [&number, name, least](const std::string& text) {
        const auto found = parse_whole<Integer>(text);
        if (!found || *found < least) {
            throw CLI::ValidationError(
                name + " is a number from " + std::to_string(least) + " to " +
                std::to_string(std::numeric_limits<Integer>::max()) + ", not '" + text + "'");
        }
        number = *found;
    };
    return app.add_option_function<std::string>(name, read, summary)
        ->type_name("NUMBER")
        ->default_str(std::to_string(number));
}

}  // namespace

connect_options::connect_options(CLI::App& app) {
    drop_service_link("BUTTERDB_PORT");
    auto& files = where_.files;
    app.add_option("--host", where_.host, "Server's name or address")
        ->envname("BUTTERDB_HOST")
        ->capture_default_str();
    constexpr std::uint16_t port_least = 1;
    add_number(app, "--port", where_.port, port_least, "Server's port")->envname("BUTTERDB_PORT");
    app.add_option("--unix-socket", where_.unix_socket, "Server's unix socket")->type_name("PATH");
    app.add_option(
           "--password-file",
           password_file_,
           "File whose only line is the password; or BUTTERDB_PASSWORD is the password")
        ->type_name("PATH");
    app.add_flag("--tls", where_.tls, "Talk TLS");
    app.add_option(
           "--tls-ca", files.authority, "Who must have signed the server's certificate (PEM)")
        ->type_name("PATH");
    auto* const certificate =
        app.add_option("--tls-cert", files.certificate, "One's own certificate (PEM)")
            ->type_name("PATH");
    auto* const key =
        app.add_option("--tls-key", files.key, "The key of --tls-cert (PEM)")->type_name("PATH");
    certificate->needs(key);
    key->needs(certificate);
    app.add_flag("--tls-insecure", insecure_, "Talk TLS with whoever answers");
    add_number(app, "--timeout", timeout_, 0U, "Seconds to wait for a reply; 0: for ever");
}

bool connect_options::is_place_given(int argc, const char* const* argv) {
    return std::any_of(argv, argv + argc, [](std::string_view each) {
        return each.starts_with("--host") || each.starts_with("--port") ||
               each.starts_with("--unix-socket");
    });
}

server_address connect_options::address() const {
    auto where = where_;
    where.tls = where.tls || insecure_ || !where.files.authority.empty() ||
                !where.files.certificate.empty();
    where.verify_server = !insecure_;
    const char* const in_environment = std::getenv("BUTTERDB_PASSWORD");
    if (!password_file_.empty()) {
        where.password = read_password_file(password_file_);
    } else if (in_environment != nullptr) {
        where.password = in_environment;
    }
    return where;
}

}  // namespace butterdb
