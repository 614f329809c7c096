#include "options.hpp"

#include "machine.hpp"
#include "option_file.hpp"
#include <butterdb/base/number.hpp>
#include <butterdb/base/settings.hpp>
#include <butterdb/base/text.hpp>
#include <butterdb/base/version.hpp>
#include <butterdb/net/platform.hpp>

#include <CLI/CLI.hpp>
#include <asio/ip/address.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <istream>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
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

// Whether the environment sets an option; CLI11 takes an empty variable for none.
bool is_set_by_environment(std::string_view option) {
    const char* const value = std::getenv(environment_name(option).c_str());
    return value != nullptr && *value != '\0';
}

// The names of all options on the command line, `--port` and `--port=9091` alike.
std::set<std::string, std::less<>> names_on_command_line(int argc, const char* const* argv) {
    std::set<std::string, std::less<>> names;
    for (const std::string_view word : std::span(argv, static_cast<std::size_t>(argc))) {
        if (word.starts_with("--")) {
            names.emplace(word.substr(2, word.find('=') - 2));
        }
    }
    return names;
}

// Reads the file with a parser of our own, which knows its lines: CLI11's takes a line without `=`
// for a flag, and names neither file nor line.
class option_file : public CLI::ConfigBase {
public:
    explicit option_file(const CLI::App& app) : app_(app) {}

    // Leaves out what the environment sets: CLI11 2.1 lets the file win.
    std::vector<CLI::ConfigItem> from_config(std::istream& input) const override {
        std::vector<CLI::ConfigItem> found;
        try {
            for (auto& line : read_option_lines(input)) {
                check(line);
                if (!is_set_by_environment(line.name)) {
                    add(line, found);
                }
            }
        } catch (const option_line_error& why) {
            throw early_exit{2, place_of(why.number) + ": " + why.what()};
        }
        return found;
    }

    // Returns the file and the line that gave an option, or nothing.
    std::optional<std::string> source_of(const std::string& option) const {
        const auto found = line_of_.find(option);
        return found == line_of_.end() ? std::nullopt : std::optional(place_of(found->second));
    }

private:
    void check(const option_line& line) const {
        const auto* const option = app_.get_option_no_throw("--" + line.name);
        if (option == nullptr) {
            throw option_line_error(line.number, "unknown option '" + printable(line.name) + "'");
        }
        if (!option->get_configurable()) {
            throw option_line_error(
                line.number, line.name + " is an option of the command line alone");
        }
        const auto [found, is_first] = line_of_.emplace(line.name, line.number);
        if (!is_first && option->get_items_expected_max() == 1) {
            throw option_line_error(
                line.number,
                line.name + " is given twice, on line " + std::to_string(found->second) + " too");
        }
    }

    // What may repeat becomes one list.
    static void add(option_line& line, std::vector<CLI::ConfigItem>& to) {
        auto item = std::ranges::find(to, line.name, &CLI::ConfigItem::name);
        if (item == to.end()) {
            item = to.emplace(to.end());
            item->name = line.name;
        }
        std::ranges::move(line.values, std::back_inserter(item->inputs));
    }

    std::string place_of(std::size_t line) const {
        return app_.get_config_ptr()->as<std::string>() + ":" + std::to_string(line);
    }

    const CLI::App& app_;
    mutable std::map<std::string, std::size_t> line_of_;
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
        app_.config_formatter(file_);
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
        on_command_line_ = names_on_command_line(argc, argv);
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
        } catch (const CLI::ParseError& why) {
            refuse(why.what());
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
    // Ends the program over `text`. Where that begins with the option at fault (`--port is ...`),
    // says by which variable or by which line of the file it was set.
    [[noreturn]] void refuse(const std::string& text) const {
        const bool names_option = text.starts_with("--");
        const auto name = names_option ? text.substr(2, text.find_first_of(": ") - 2) : "";
        const auto source = source_of(name);
        throw early_exit{
            2, source ? *source + ": " + text.substr(2) : text + "; see butterdb --help"};
    }

    // What has set an option; nothing: the command line, or nothing has.
    std::optional<std::string> source_of(const std::string& option) const {
        if (on_command_line_.contains(option)) {
            return std::nullopt;
        }
        return is_set_by_environment(option) ? environment_name(option) : file_->source_of(option);
    }

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
                refuse("--bind takes IP addresses, not '" + printable(address) + "'");
            }
        }
        if (!listen.port && !listen.tls_port && listen.unix_socket.empty()) {
            throw early_exit{2, "nothing to listen on: --port, --tls-port or --unix-socket"};
        }
        const bool has_identity = !listen.tls.certificate.empty() && !listen.tls.key.empty();
        if (listen.tls_port && !has_identity) {
            refuse("--tls-port needs --tls-cert and --tls-key");
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
    std::shared_ptr<option_file> file_ = std::make_shared<option_file>(app_);
    std::set<std::string, std::less<>> on_command_line_;
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
