#include "options.hpp"

#include "machine.hpp"
#include <butterdb/base/number.hpp>
#include <butterdb/base/settings.hpp>
#include <butterdb/base/text.hpp>
#include <butterdb/base/version.hpp>
#include <butterdb/net/platform.hpp>

#include <CLI/CLI.hpp>
#include <asio/ip/address.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace butterdb {

namespace {

// `max-memory` is set by BUTTERDB_MAX_MEMORY.
std::string environment_name(std::string_view option) {
    std::string name = "BUTTERDB_";
    for (const char c : option) {
        name += c == '-' ? '_' : to_upper(c);
    }
    return name;
}

// The environment variable that has the password itself.
constexpr const char* password_variable = "BUTTERDB_PASSWORD";

bool is_set_and_empty(const char* variable) {
    const char* const value = std::getenv(variable);
    return value != nullptr && *value == '\0';
}

// A line up to a '#' that is not in quotes.
std::string_view without_comment(std::string_view line) {
    char quote = 0;
    for (std::size_t at = 0; at < line.size(); ++at) {
        const char c = line[at];
        if (c == '#' && quote == 0) {
            return line.substr(0, at);
        }
        const bool begins = at == 0 || std::string_view("=[, \t").find(line[at - 1]) != line.npos;
        if (quote == 0 && begins && (c == '"' || c == '\'')) {
            quote = c;
        } else if (c == quote) {
            quote = 0;
        }
    }
    return line;
}

// CLI11 2.1 lets the file win over the environment; here what the environment sets is left out of
// the file.
class file_behind_environment : public CLI::ConfigBase {
public:
    file_behind_environment() { comment('\n'); }  // none: it would find them in quotes too

    std::vector<CLI::ConfigItem> from_config(std::istream& input) const override {
        std::stringstream bare;
        for (std::string line; std::getline(input, line);) {
            bare << without_comment(line) << '\n';
        }
        auto read = CLI::ConfigBase::from_config(bare);
        std::erase_if(read, [](const CLI::ConfigItem& item) {
            const char* const value = std::getenv(environment_name(item.name).c_str());
            return value != nullptr && *value != '\0';
        });
        return read;
    }
};

const std::map<std::string, log_level> log_levels{
    {"error", log_level::error},
    {"warning", log_level::warning},
    {"info", log_level::info},
};

std::string port_text(const std::optional<std::uint16_t>& port) {
    return port ? std::to_string(*port) : "off";
}

// CLI11's own, without the description that it adds to the help text.
template <typename Value>
CLI::Validator one_of(const std::map<std::string, Value>& names) {
    return CLI::Validator(CLI::IsMember(names)).description("");
}

const std::map<std::string, eviction> evictions{
    {"none", eviction::none},
    {"clock", eviction::clock},
};

class command_line {
public:
    command_line() {
        app_.config_formatter(std::make_shared<file_behind_environment>());
        app_.allow_config_extras(CLI::config_extras_mode::error);
        app_.set_version_flag("--version", "butterdb " + std::string(version));
        app_.get_formatter()->column_width(34);
        add_file();
        add_network();
        add_limits();
        option("log-level", level_, "What to log on stderr: error, warning, info")
            ->check(one_of(log_levels));
        app_.footer(
            "Sizes take units of 1024: 64MiB, 2GiB. Every option can be set in the environment\n"
            "(BUTTERDB_PORT=9091) and in the file (port = 9091); the command line comes first,\n"
            "then the environment, then the file. BUTTERDB_CONFIG names the file, "
            "BUTTERDB_PASSWORD\n"
            "is the password.");
    }

    options parse(int argc, const char* const* argv) {
        for (const char* const variable : {"BUTTERDB_PORT", "BUTTERDB_TLS_PORT"}) {
            if (drop_service_link(variable)) {
                options_.warnings.push_back(
                    std::string(variable) +
                    " is an address and no port, as Kubernetes sets it: ignored");
            }
        }
        try {
            app_.parse(argc, argv);
        } catch (const CLI::CallForHelp&) {
            throw early_exit{0, app_.help()};
        } catch (const CLI::CallForVersion& version_text) {
            throw early_exit{0, std::string(version_text.what()) + "\n"};
        } catch (const CLI::FileError& why) {
            throw early_exit{1, "cannot read the file of --config: " + std::string(why.what())};
        } catch (const CLI::ConfigError& why) {
            constexpr std::string_view prefix = "INI was not able to parse ";
            std::string_view name = why.what();
            name.remove_prefix(name.starts_with(prefix) ? prefix.size() : 0);
            throw early_exit{
                2, "the configuration file has an unknown option: " + std::string(name)};
        } catch (const CLI::ParseError& why) {
            throw early_exit{2, std::string(why.what()) + "; see butterdb --help"};
        }
        refuse_empty_password();
        options_.log = log_levels.at(level_);
        options_.evict = evictions.at(eviction_);
        if (!has_password()) {
            using enum listen_options::admission;
            options_.listen.serves = protected_ == "yes" ? this_machine : everybody;
        }
        check_listening();
        if (print_) {
            throw early_exit{0, as_file()};
        }
        take_password();
        return std::move(options_);
    }

private:
    template <typename Value>
    CLI::Option* option(const std::string& name, Value& value, const std::string& text) {
        return app_.add_option("--" + name, value, text)
            ->envname(environment_name(name))
            ->capture_default_str();
    }

    void port(
        const std::string& name, std::optional<std::uint16_t>& chosen, const std::string& text) {
        const auto read = [name, &chosen](const std::string& word) {
            const auto number = parse_whole<std::uint16_t>(word);
            if (!number && word != "off") {
                throw CLI::ValidationError(
                    "--" + name + " is a number from 0 to 65535, or off, not '" + printable(word) +
                    "'");
            }
            chosen = number;
        };
        app_.add_option_function<std::string>("--" + name, read, text)
            ->envname(environment_name(name))
            ->type_name("PORT")
            ->default_str(port_text(chosen));
    }

    void check_listening() const {
        const auto& listen = options_.listen;
        for (const auto& address : listen.addresses) {
            asio::error_code ec;
            asio::ip::make_address(address, ec);
            if (ec) {
                throw early_exit{2, "--bind takes IP addresses, not '" + printable(address) + "'"};
            }
        }
        if (!listen.port && !listen.tls_port && listen.unix_socket.empty()) {
            throw early_exit{2, "nothing to listen on: --port, --tls-port or --unix-socket"};
        }
        const bool has_identity = !listen.tls.certificate.empty() && !listen.tls.key.empty();
        if (listen.tls_port && !has_identity) {
            throw early_exit{2, "--tls-port needs --tls-cert and --tls-key"};
        }
        const bool has_file = !listen.tls.certificate.empty() || !listen.tls.key.empty() ||
                              !listen.tls.authority.empty() || !listen.tls.revocations.empty();
        if (!listen.tls_port && (has_file || listen.tls.ciphers != modern_ciphers)) {
            throw early_exit{
                2, "--tls-cert, --tls-key, --tls-ca, --tls-crl and --tls-ciphers need --tls-port"};
        }
        if (!listen.tls.revocations.empty() && listen.tls.authority.empty()) {
            throw early_exit{2, "--tls-crl needs --tls-ca"};
        }
    }

    void limit(const setting& which) {
        constexpr std::array<const char*, 4> kinds{"NUMBER", "SIZE", "SECONDS", "MICROSECONDS"};
        const auto read = [this, &which](const std::string& text) {
            const auto value = which.read(text);
            if (!value) {
                throw CLI::ValidationError("--" + value.error().text);
            }
            which.set(options_.bounds, *value);
        };
        const std::string name(which.name);
        app_.add_option_function<std::string>("--" + name, read, std::string(which.summary))
            ->envname(environment_name(name))
            ->type_name(kinds.at(static_cast<std::size_t>(which.in)))
            ->default_str(which.show(options_.bounds));
    }

    // Who meant to give a password must not end up without one.
    void refuse_empty_password() const {
        const bool given = app_.count("--password-file") > 0;
        if (given ? password_file_.empty() : is_set_and_empty("BUTTERDB_PASSWORD_FILE")) {
            throw early_exit{
                2,
                std::string(given ? "--password-file" : "BUTTERDB_PASSWORD_FILE") +
                    " names no file: leave it out for no password"};
        }
        if (is_set_and_empty(password_variable)) {
            throw early_exit{2, "BUTTERDB_PASSWORD is empty: unset it for no password"};
        }
    }

    bool has_password() const {
        return !password_file_.empty() || std::getenv(password_variable) != nullptr;
    }

    // Keeps the digest alone: the text is erased wherever it has been.
    void take_password() {
        try {
            options_.admits = take_password_of_environment(password_variable);
        } catch (const password_error& why) {
            throw early_exit{2, why.what()};
        }
        if (password_file_.empty()) {
            return;
        }
        if (options_.admits) {
            throw early_exit{
                2, "the password is given twice: by BUTTERDB_PASSWORD and by --password-file"};
        }
        read_password();
        warn_of_password_readers();
    }

    void read_password() {
        try {
            auto text = read_password_file(password_file_);
            options_.admits.emplace(text);
            erase_secret(text);
        } catch (const password_error& why) {
            throw early_exit{1, why.what()};
        }
    }

    void warn_of_password_readers() {
        const auto readers_there = readers_of(password_file_);
        if (readers_there != readers::owner) {
            options_.warnings.push_back(
                (readers_there == readers::group ? "members of its group"
                                                 : "everybody on this machine") +
                (" can read the password file " + password_file_) + "; chmod 600 it");
        }
    }

    // The options in force, as a file that gives them again.
    std::string as_file() const {
        const auto& listen = options_.listen;
        const auto& bounds = options_.bounds;
        const auto file = password_file_.empty() ? "# password-file: none"
                                                 : "password-file = \"" + password_file_ + "\"";
        std::string addresses;
        for (const auto& address : listen.addresses) {
            addresses.append(addresses.empty() ? "bind = [\"" : ", \"")
                .append(address)
                .append("\"");
        }
        addresses.append(addresses.empty() ? "# bind: loopback" : "]");
        auto text = addresses + "\nport = " + port_text(listen.port) +
                    "\ntls-port = " + port_text(listen.tls_port) + "\ntls-cert = \"" +
                    listen.tls.certificate + "\"\ntls-key = \"" + listen.tls.key +
                    "\"\ntls-ca = \"" + listen.tls.authority + "\"\ntls-crl = \"" +
                    listen.tls.revocations + "\"\ntls-ciphers = \"" + listen.tls.ciphers +
                    "\"\nunix-socket = \"" + listen.unix_socket + "\"\n" + file +
                    "\nprotected-mode = " + protected_ + "\neviction = " + eviction_ + "\n";
        for (const auto& each : settings()) {
            text.append(each.name).append(" = ").append(each.show(bounds)).append("\n");
        }
        return text + "log-level = " + level_ + "\n";
    }

    void add_file() {
        const char* const file = std::getenv("BUTTERDB_CONFIG");
        const bool given = file != nullptr && *file != '\0';
        app_.set_config("--config", given ? file : "", "Read options from this file", given)
            ->type_name("PATH");
        app_.add_flag("--print-config", print_, "Print the options in force, as a file, and exit")
            ->configurable(false);
    }

    void add_network() {
        auto& listen = options_.listen;
        port("port", listen.port, "TCP port; 0 lets the kernel choose, off: none");
        port("tls-port", listen.tls_port, "The same for TLS, with --tls-cert and --tls-key");
        option("tls-cert", listen.tls.certificate, "The server's certificate, and its chain (PEM)")
            ->type_name("PATH");
        option("tls-key", listen.tls.key, "Its key (PEM)")->type_name("PATH");
        option(
            "tls-ca",
            listen.tls.authority,
            "The authority that must have signed the certificates of clients (PEM)")
            ->type_name("PATH");
        option("tls-crl", listen.tls.revocations, "The certificates that it has revoked (PEM)")
            ->type_name("PATH");
        option("tls-ciphers", listen.tls.ciphers, "Suites of TLS 1.2, in OpenSSL's words")
            ->type_name("LIST");
        option("bind", listen.addresses, "IP address to listen on, may repeat (default: loopback)")
            ->type_name("ADDRESS")
            ->delimiter(',')
            ->default_str("");
        option("unix-socket", listen.unix_socket, "Listen on this unix socket too")
            ->type_name("PATH");
        option(
            "password-file",
            password_file_,
            "File whose only line is the password that clients must say first")
            ->type_name("PATH");
        option(
            "protected-mode",
            protected_,
            "Without a password, serve only clients of this machine: yes, no")
            ->check(CLI::Validator(CLI::IsMember({"yes", "no"})).description(""));
    }

    void add_limits() {
        options_.bounds.memory_bytes_max = memory_of_machine() / 10 * 8;
        option(
            "eviction", eviction_, "When it is full: none (refuse), clock (delete what is unread)")
            ->check(one_of(evictions));
        for (const auto& each : settings()) {
            limit(each);
        }
    }

    CLI::App app_{"In-memory key-value server. Try it: nc localhost 9090", "butterdb"};
    options options_;
    std::string level_ = "info";
    std::string eviction_ = "none";
    std::string password_file_;
    std::string protected_ = "yes";
    bool print_ = false;
};

}  // namespace

options read_options(int argc, const char* const* argv) {
    return command_line().parse(argc, argv);
}

}  // namespace butterdb
