#include "connect_options.hpp"

#include "number_options.hpp"
#include <butterdb/net/password.hpp>
#include <butterdb/net/platform.hpp>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace butterdb {

connect_options::connect_options(CLI::App& app) {
    drop_service_link("BUTTERDB_PORT");
    auto& files = where_.files;
    app.add_option("--host", where_.host, "Server's name or address")
        ->envname("BUTTERDB_HOST")
        ->capture_default_str();
    app.add_option("--port", where_.port, "Server's port")
        ->envname("BUTTERDB_PORT")
        ->transform(whole_number(1, UINT16_MAX))
        ->capture_default_str();
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
    app.add_option("--timeout", timeout_, "Seconds to wait for a reply; 0: for ever")
        ->transform(whole_number(0, UINT32_MAX))
        ->capture_default_str();
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
