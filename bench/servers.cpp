#include "servers.hpp"

#include "connection.hpp"
#include "process.hpp"
#include <butterdb/base/number.hpp>

#include <asio/connect.hpp>
#include <asio/ip/tcp.hpp>

#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <thread>

namespace butterdb::bench {

namespace {

constexpr auto start_patience = std::chrono::seconds(10);
constexpr auto end_patience = std::chrono::seconds(5);
constexpr auto look_interval = std::chrono::milliseconds(5);
constexpr const char* floor_name = "butterdb-floor";
constexpr std::size_t info_bytes_max = 64 * KiB;

bool is_this_machine(const server_address& where) {
    return !where.unix_socket.empty() || where.host == "localhost" || where.host == "::1" ||
           where.host.starts_with("127.");
}

// The number behind `name`; nothing when that is not there, or its digits may go on.
std::optional<std::int64_t> number_behind(std::string_view text, std::string_view name) {
    const auto at = text.find(name);
    if (at == text.npos) {
        return std::nullopt;
    }
    const auto rest = text.substr(at + name.size());
    const auto end = rest.find_first_of("\r\n");
    return end == rest.npos ? std::nullopt : parse_integer(rest.substr(0, end));
}

// Whether all of the answer to INFO, or to memcached's stats, is there.
bool is_answered(connection& server, dialect spoken) {
    if (spoken == dialect::memcache) {
        return server.input().view().ends_with("END\r\n");
    }
    const auto got = server.first_reply();
    if (got && got->what == reply::kind::failure && got->text.find("NOAUTH") != got->text.npos) {
        throw std::runtime_error("the server asks for a password: --password-file");
    }
    return got.has_value();
}

// INFO's `process_id:` of Redis and its kin, or `STAT pid ` of memcached's stats.
task<> ask_process_id(
    connection& server, server_access& to, dialect spoken, std::optional<std::int64_t>& found) {
    const bool is_memcache = spoken == dialect::memcache;
    const std::string_view words[] = {is_memcache ? "stats" : "INFO"};
    const std::string_view name = is_memcache ? "STAT pid " : "process_id:";
    auto ec = co_await server.connect(to);
    if (!ec) {
        append_command(spoken, words, server.requests());
        server.expect_reply();
        ec = co_await server.send();
    }
    while (!ec && !found && server.input().size() < info_bytes_max) {
        ec = co_await server.receive();
        found = number_behind(server.input().view(), name);
        if (is_answered(server, spoken)) {
            break;
        }
    }
    server.rest();
    if (ec && server.input().empty()) {
        throw std::system_error(ec);
    }
}

std::string beside_this_program(const std::string& name) {
    const auto folder = std::filesystem::read_symlink("/proc/self/exe").parent_path();
    for (const auto& path : {folder / name, folder / "bench" / name}) {
        if (std::filesystem::exists(path)) {
            return path.string();
        }
    }
    return name;
}

// Of what the floor answers to everything: a value, where most requests fetch one; 0: `OK`.
std::size_t floor_value_bytes(const workload& work) {
    std::uint64_t gets = 0;
    std::uint64_t others = 0;
    for (const auto& kind : work.kinds) {
        (kind.what == request_kind::effect::get ? gets : others) += kind.weight;
    }
    return gets > others ? work.sizes.most() : 0;
}

// A port that nobody listens on.
std::uint16_t free_port() {
    asio::io_context io;
    asio::ip::tcp::acceptor probe(io, {asio::ip::address_v4::loopback(), 0});
    return probe.local_endpoint().port();
}

bool is_listening(std::uint16_t port) {
    asio::io_context io;
    asio::ip::tcp::socket probe(io);
    asio::error_code ec;
    probe.connect({asio::ip::address_v4::loopback(), port}, ec);
    return !ec;
}

// Reads the server's first line, `listening on 127.0.0.1:PORT`; 0 when it said something else.
std::uint16_t port_announced(int descriptor) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> out(
        ::fdopen(descriptor, "r"), std::fclose);
    std::array<char, 128> line{};
    if (std::fgets(line.data(), line.size(), out.get()) == nullptr) {
        return 0;
    }
    const std::string_view text(line.data());
    const auto colon = text.rfind(':');
    if (!text.starts_with("listening on ") || colon == text.npos || !text.ends_with('\n')) {
        return 0;
    }
    return parse_whole<std::uint16_t>(text.substr(colon + 1, text.size() - colon - 2)).value_or(0);
}

// The servers that a signal must not leave behind; 0: none.
std::array<volatile std::sig_atomic_t, 16> servers_to_end{};

void end_servers_too(int signal) {
    for (const auto each : servers_to_end) {
        if (each != 0) {
            ::kill(each, SIGTERM);
        }
    }
    ::_exit(128 + signal);
}

// Requires a place that holds `from`.
void note_server(pid_t from, pid_t to) noexcept {
    *std::ranges::find(servers_to_end, from) = to;
}

// The environment without what would configure the server.
std::vector<char*> plain_environment() {
    std::vector<char*> kept;
    for (char** each = environ; *each != nullptr; ++each) {
        if (!std::string_view(*each).starts_with("BUTTERDB_")) {
            kept.push_back(*each);
        }
    }
    kept.push_back(nullptr);
    return kept;
}

// Has what this thread starts meanwhile run on one processor.
class pinned {
public:
    explicit pinned(std::optional<int> cpu) {
        if (cpu) {
            ::sched_getaffinity(0, sizeof before_, &before_);
            was_pinned_ = pin_this_thread(*cpu);
            if (!was_pinned_) {
                throw std::runtime_error("there is no processor " + std::to_string(*cpu));
            }
        }
    }
    pinned(const pinned&) = delete;
    pinned& operator=(const pinned&) = delete;
    ~pinned() {
        if (was_pinned_) {
            ::sched_setaffinity(0, sizeof before_, &before_);
        }
    }

private:
    cpu_set_t before_{};
    bool was_pinned_ = false;
};

// Signals that end this process wait while one of these exists.
class signals_wait {
public:
    signals_wait() {
        sigset_t ending{};
        ::sigemptyset(&ending);
        ::sigaddset(&ending, SIGINT);
        ::sigaddset(&ending, SIGTERM);
        ::pthread_sigmask(SIG_BLOCK, &ending, &before_);
    }
    signals_wait(const signals_wait&) = delete;
    signals_wait& operator=(const signals_wait&) = delete;
    ~signals_wait() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

    const sigset_t& before() const noexcept { return before_; }

private:
    sigset_t before_{};
};

// Gives the error of posix_spawnp; 0: `process` runs, with `output` as its standard output.
int start(
    const std::vector<std::string>& command, int output, const sigset_t& signals, pid_t& process) {
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    posix_spawnattr_t attributes;
    ::posix_spawnattr_init(&attributes);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    ::posix_spawnattr_setsigmask(&attributes, &signals);
    std::vector<char*> arguments(command.size() + 1);  // the last is null
    std::ranges::transform(command, arguments.begin(), [](const std::string& each) {
        return const_cast<char*>(each.c_str());
    });
    const auto environment = plain_environment();
    const int failure = ::posix_spawnp(
        &process, arguments[0], &actions, &attributes, arguments.data(), environment.data());
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
    return failure;
}

bool has_ended(pid_t process) {
    siginfo_t state{};
    return ::waitid(P_PID, static_cast<id_t>(process), &state, WEXITED | WNOHANG | WNOWAIT) != 0 ||
           state.si_pid != 0;
}

bool wait_until_listening(pid_t process, std::uint16_t port) {
    const auto end = steady::now() + start_patience;
    while (!has_ended(process) && steady::now() < end) {
        if (is_listening(port)) {
            return !has_ended(process);
        }
        std::this_thread::sleep_for(look_interval);
    }
    return false;
}

}  // namespace

std::optional<std::int64_t> local_process_of(
    const server_address& where, dialect spoken, steady::duration timeout) {
    server_access access(where);
    asio::io_context io(1);
    system_time time(io);
    sweeper timeouts(time);
    connection server(io, timeouts, timeout, spoken);
    std::optional<std::int64_t> found;
    std::exception_ptr failure;
    spawn(ask_process_id(server, access, spoken, found), [&](const std::exception_ptr& why) {
        failure = why;
        timeouts.stop();
    });
    io.run();
    if (failure) {
        std::rethrow_exception(failure);
    }
    const bool runs_here = is_this_machine(where) && found && !program_of(*found).empty();
    return runs_here ? found : std::nullopt;
}

std::optional<server_program> known_program(const std::string& name, const workload& work) {
    const auto port = free_port();
    const auto digits = std::to_string(port);
    if (name == "butterdb") {
        return server_program{
            {beside_this_program(name),
             "--port",
             "0",
             "--bind",
             "127.0.0.1",
             "--log-level",
             "warning"},
            0,
            dialect::resp};
    }
    if (name == "floor") {
        return server_program{
            {beside_this_program(floor_name), digits, std::to_string(floor_value_bytes(work))},
            port,
            dialect::resp};
    }
    if (name == "redis-server" || name == "valkey-server") {
        return server_program{
            {name,
             "--port",
             digits,
             "--bind",
             "127.0.0.1",
             "--save",
             "",
             "--appendonly",
             "no",
             "--maxclients",
             "20000"},
            port,
            dialect::resp};
    }
    if (name == "memcached") {
        std::vector<std::string> command{
            name,
            "-l",
            "127.0.0.1",
            "-p",
            digits,
            "-U",
            "0",
            "-t",
            "1",
            "-m",
            "8192",
            "-c",
            "20000"};
        if (::geteuid() == 0) {
            command.insert(command.end(), {"-u", "root"});
        }
        return server_program{command, port, dialect::memcache};
    }
    return std::nullopt;
}

started_server::started_server(const server_program& program, std::optional<int> cpu)
    : port_(program.port) {
    if (std::ranges::find(servers_to_end, 0) == servers_to_end.end()) {
        throw std::runtime_error("too many servers at once");
    }
    if (port_ != 0 && is_listening(port_)) {
        throw std::runtime_error("somebody listens on port " + std::to_string(port_) + " already");
    }
    // Who says where it listens is read from, the others' output is theirs.
    std::array<int, 2> output{-1, -1};
    if (port_ == 0 ? ::pipe2(output.data(), O_CLOEXEC) != 0
                   : (output[1] = ::open("/dev/null", O_WRONLY | O_CLOEXEC)) < 0) {
        throw std::system_error(errno, std::generic_category(), "cannot start a server");
    }
    int failure = 0;
    {
        const signals_wait wait;  // one that comes between the start and the note of it
        const pinned here(cpu);
        failure = start(program.command, output[1], wait.before(), process_);
        if (failure == 0) {
            note_server(0, process_);
        }
        std::signal(SIGINT, end_servers_too);
        std::signal(SIGTERM, end_servers_too);
    }
    ::close(output[1]);
    if (failure == 0 && port_ == 0) {
        port_ = port_announced(output[0]);
    } else if (output[0] >= 0) {
        ::close(output[0]);
    }
    if (failure != 0) {
        throw std::system_error(
            failure,
            std::generic_category(),
            "cannot start " + program.command.front() +
                (program.command.front() == floor_name
                     ? " (it is not installed: run the butterdb-bench of the build folder)"
                     : ""));
    }
    if (port_ == 0 || !wait_until_listening(process_, port_)) {
        end(SIGKILL);
        throw std::runtime_error(
            program.command.front() + " did not start; run it by hand to see why");
    }
}

// Who does not end in time is killed.
void started_server::end(int signal) const noexcept {
    ::kill(process_, signal);
    const auto until = steady::now() + end_patience;
    while (::waitpid(process_, nullptr, WNOHANG) == 0) {
        if (steady::now() > until) {
            ::kill(process_, SIGKILL);
            ::waitpid(process_, nullptr, 0);
            break;
        }
        std::this_thread::sleep_for(look_interval);
    }
    note_server(process_, 0);
}

started_server::~started_server() {
    end(SIGTERM);
}

}  // namespace butterdb::bench
