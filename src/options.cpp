#include "options.hpp"

#include "machine.hpp"
#include <butterdb/base/text.hpp>
#include <butterdb/base/version.hpp>

#include <CLI/CLI.hpp>

#include <cstdint>
#include <cstdlib>
#include <map>
#include <type_traits>
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

// CLI11 2.1 lets the file win over the environment; here what the environment sets is left out of
// the file.
class file_behind_environment : public CLI::ConfigBase {
public:
    std::vector<CLI::ConfigItem> from_config(std::istream& input) const override {
        auto read = CLI::ConfigBase::from_config(input);
        std::erase_if(read, [](const CLI::ConfigItem& item) {
            const char* const value = std::getenv(environment_name(item.name).c_str());
            return value != nullptr && *value != '\0';
        });
        return read;
    }
};

// 67108864 -> "64MiB", in the largest unit that leaves no rest.
std::string size_text(std::uint64_t bytes) {
    constexpr const char* units[] = {"", "KiB", "MiB", "GiB", "TiB"};
    std::size_t unit = 0;
    while (bytes != 0 && bytes % 1024 == 0 && unit + 1 < std::size(units)) {
        bytes /= 1024;
        ++unit;
    }
    return std::to_string(bytes) + units[unit];
}

const std::map<std::string, log_level> log_levels{
    {"error", log_level::error},
    {"warning", log_level::warning},
    {"info", log_level::info},
};

// CLI11's validators without the descriptions that they add to the help text.

template <typename Number>
CLI::Validator between(Number least, Number most) {
    return CLI::Validator(CLI::Range(least, most)).description("");
}

CLI::Validator size_value() {
    return CLI::Validator(CLI::AsSizeValue(false)).description("");
}

// CLI11 2.1 reads an empty text as 0.
CLI::Validator not_empty() {
    const auto check = [](const std::string& text) {
        return text.empty() ? std::string("wants a number") : std::string();
    };
    return CLI::Validator(check, "");
}

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
            "then the environment, then the file.");
    }

    options parse(int argc, const char* const* argv) {
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
        options_.log = log_levels.at(level_);
        options_.evict = evictions.at(eviction_);
        options_.bounds.idle_timeout = std::chrono::seconds(idle_seconds_);
        if (print_) {
            throw early_exit{0, as_file()};
        }
        return std::move(options_);
    }

private:
    template <typename Value>
    CLI::Option* option(const std::string& name, Value& value, const std::string& text) {
        auto* const added = app_.add_option("--" + name, value, text)
                                ->envname(environment_name(name))
                                ->capture_default_str();
        if constexpr (std::is_arithmetic_v<Value>) {
            added->check(not_empty());
        }
        return added;
    }

    CLI::Option* size(const std::string& name, std::uint64_t& bytes, const std::string& text) {
        return option(name, bytes, text)
            ->transform(size_value())
            ->type_name("SIZE")
            ->default_str(size_text(bytes));
    }

    // The options in force, as a file that gives them again.
    std::string as_file() const {
        const auto& listen = options_.listen;
        const auto& bounds = options_.bounds;
        std::string addresses;
        for (const auto& address : listen.addresses) {
            addresses.append(addresses.empty() ? "bind = [\"" : ", \"")
                .append(address)
                .append("\"");
        }
        addresses.append(addresses.empty() ? "# bind: loopback" : "]");
        return addresses + "\nport = " + std::to_string(listen.port) + "\nunix-socket = \"" +
               listen.unix_socket + "\"" + "\nmax-memory = " + size_text(bounds.memory_bytes_max) +
               "\neviction = " + eviction_ +
               "\nmax-clients = " + std::to_string(bounds.clients_max) +
               "\nmax-key = " + size_text(bounds.key_bytes_max) +
               "\nmax-value = " + size_text(bounds.value_bytes_max) +
               "\nidle-timeout = " + std::to_string(bounds.idle_timeout.count()) +
               "\nlog-level = " + level_ + "\n";
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
        option("port", listen.port, "TCP port; 0 lets the kernel choose");
        option("bind", listen.addresses, "IP address to listen on, may repeat (default: loopback)")
            ->type_name("ADDRESS")
            ->delimiter(',')
            ->default_str("");
        option("unix-socket", listen.unix_socket, "Listen on this unix socket too")
            ->type_name("PATH");
    }

    void add_limits() {
        auto& bounds = options_.bounds;
        bounds.memory_bytes_max = memory_of_machine() / 10 * 8;
        size(
            "max-memory",
            bounds.memory_bytes_max,
            "Memory for all entries (default: 80 % of the machine's or container's)")
            ->check(between(std::uint64_t{MiB}, std::uint64_t{1} << 62));
        option(
            "eviction", eviction_, "When it is full: none (refuse), clock (delete what is unread)")
            ->check(one_of(evictions));
        option("max-clients", bounds.clients_max, "Connections at once")
            ->check(between(std::uint64_t{1}, std::uint64_t{10'000'000}));
        size("max-key", bounds.key_bytes_max, "Longest key")
            ->check(between(std::uint64_t{1}, std::uint64_t{512 * MiB}));
        size("max-value", bounds.value_bytes_max, "Longest value")
            ->check(between(std::uint64_t{1}, std::uint64_t{512 * MiB}));
        option(
            "idle-timeout",
            idle_seconds_,
            "Seconds without a request before a connection is closed; 0: never")
            ->check(between(0, 1'000'000'000));
    }

    CLI::App app_{"In-memory key-value server. Try it: nc localhost 9090", "butterdb"};
    options options_;
    std::string level_ = "info";
    std::string eviction_ = "none";
    std::int64_t idle_seconds_ = 0;
    bool print_ = false;
};

}  // namespace

options read_options(int argc, const char* const* argv) {
    return command_line().parse(argc, argv);
}

}  // namespace butterdb
