#include "server_process.hpp"

#include <asio/co_spawn.hpp>

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace butterdb::bench {

namespace {

// The value of `name:value` among the lines of INFO.
std::optional<std::int64_t> field_of(std::string_view info, std::string_view name) {
    const auto key = "\n" + std::string(name) + ":";
    const auto at = info.find(key);
    if (at == info.npos) {
        return std::nullopt;
    }
    const auto digits = info.substr(at + key.size());
    std::int64_t number = 0;
    const auto fault = std::from_chars(digits.data(), digits.data() + digits.size(), number).ec;
    return fault == std::errc{} ? std::optional(number) : std::nullopt;
}

// The program that a process runs, as the kernel shortens it.
std::string program_of(std::int64_t process_id) {
    std::ifstream in("/proc/" + std::to_string(process_id) + "/comm");
    std::string name;
    std::getline(in, name);
    return name;
}

bool is_this_machine(const server_address& where) {
    return !where.unix_socket.empty() || where.host == "localhost" || where.host == "::1" ||
           where.host.starts_with("127.");
}

awaitable<> ask_info(
    client& server, const std::vector<stream_socket::endpoint_type>& where, std::string& info) {
    auto ec = co_await server.connect(where);
    if (!ec) {
        server.requests().append("INFO\n");
        server.expect_reply();
        ec = co_await server.send();
    }
    auto reply = server.next_reply();
    while (!ec && !reply) {
        ec = co_await server.receive();
        reply = server.next_reply();
    }
    server.rest();
    if (!reply) {
        throw std::system_error(ec);
    }
    info = *reply;
}

std::string beside_this_program(const char* name) {
    const auto self = std::filesystem::read_symlink("/proc/self/exe");
    const auto beside = self.parent_path() / name;
    return std::filesystem::exists(beside) ? beside.string() : name;
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
    if (!text.starts_with("listening on ") || colon == text.npos) {
        return 0;
    }
    std::uint16_t port = 0;
    std::from_chars(text.data() + colon + 1, text.data() + text.size(), port);
    return port;
}

// The server that a signal must not leave behind; 0: none.
volatile std::sig_atomic_t server_to_end = 0;

void end_server_too(int signal) {
    ::kill(server_to_end, SIGTERM);
    ::_exit(128 + signal);
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

// Gives the error of posix_spawnp; 0: `process` runs, with the pipe as its standard output.
int start_server(
    const std::string& program,
    const std::array<int, 2>& pipe,
    const sigset_t& signals,
    pid_t& process) {
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, pipe[1], STDOUT_FILENO);
    ::posix_spawn_file_actions_addclose(&actions, pipe[0]);
    ::posix_spawn_file_actions_addclose(&actions, pipe[1]);
    posix_spawnattr_t attributes;
    ::posix_spawnattr_init(&attributes);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    ::posix_spawnattr_setsigmask(&attributes, &signals);
    const char* const arguments[] = {
        program.c_str(), "--port", "0", "--bind", "127.0.0.1", "--log-level", "warning", nullptr};
    const auto environment = plain_environment();
    const int failure = ::posix_spawnp(
        &process,
        program.c_str(),
        &actions,
        &attributes,
        const_cast<char* const*>(arguments),
        environment.data());
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
    return failure;
}

}  // namespace

std::optional<process_usage> usage_of(std::int64_t process_id) {
    const auto folder = "/proc/" + std::to_string(process_id);
    std::ifstream stat(folder + "/stat");
    std::string line;
    if (!std::getline(stat, line)) {
        return std::nullopt;
    }
    // Behind the program's name in parentheses: state, then numbers; utime and stime are the 12th
    // and 13th fields from there (proc(5)).
    std::uint64_t user_ticks = 0;
    std::uint64_t system_ticks = 0;
    const auto rest = line.substr(line.rfind(')') + 1);
    if (std::sscanf(
            rest.c_str(),
            " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
            &user_ticks,
            &system_ticks) != 2) {
        return std::nullopt;
    }
    std::uint64_t pages = 0;
    std::ifstream(folder + "/statm") >> pages >> pages;
    const auto per_second = static_cast<double>(::sysconf(_SC_CLK_TCK));
    return process_usage{
        std::chrono::duration<double>(static_cast<double>(user_ticks + system_ticks) / per_second),
        pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE))};
}

std::optional<std::int64_t> local_process_of(
    const server_address& where, steady::duration timeout) {
    const auto endpoints = resolve(where);
    asio::io_context io(1);
    sweeper timeouts(io);
    client server(io, timeouts, timeout);
    std::string info;
    std::exception_ptr failure;
    asio::co_spawn(io, ask_info(server, endpoints, info), [&](const std::exception_ptr& why) {
        failure = why;
        timeouts.stop();
    });
    io.run();
    if (failure) {
        std::rethrow_exception(failure);
    }
    const auto process_id = field_of(info, "process_id");
    if (!is_this_machine(where) || !process_id || program_of(*process_id) != "butterdb") {
        return std::nullopt;
    }
    return process_id;
}

spawned_server::spawned_server() {
    const auto program = beside_this_program("butterdb");
    std::array<int, 2> pipe{};
    if (::pipe(pipe.data()) != 0) {
        throw std::system_error(errno, std::generic_category(), "pipe");
    }
    // A signal that comes between the start and the note of it waits.
    sigset_t ending{};
    sigset_t before{};
    ::sigemptyset(&ending);
    ::sigaddset(&ending, SIGINT);
    ::sigaddset(&ending, SIGTERM);
    ::sigprocmask(SIG_BLOCK, &ending, &before);
    const int failure = start_server(program, pipe, before, process_);
    server_to_end = failure == 0 ? process_ : 0;
    std::signal(SIGINT, end_server_too);
    std::signal(SIGTERM, end_server_too);
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    ::close(pipe[1]);
    if (failure != 0) {
        ::close(pipe[0]);
        throw std::system_error(failure, std::generic_category(), "cannot start " + program);
    }
    port_ = port_announced(pipe[0]);
    if (port_ == 0) {
        ::kill(process_, SIGKILL);
        ::waitpid(process_, nullptr, 0);
        throw std::runtime_error(program + " did not start; run it by hand to see why");
    }
}

spawned_server::~spawned_server() {
    std::signal(SIGINT, SIG_DFL);
    std::signal(SIGTERM, SIG_DFL);
    ::kill(process_, SIGTERM);
    ::waitpid(process_, nullptr, 0);
}

}  // namespace butterdb::bench
