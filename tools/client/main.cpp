#include "line_client.hpp"
#include <butterdb/base/version.hpp>
#include <butterdb/net/platform.hpp>

#include <CLI/CLI.hpp>

#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

namespace {

using namespace butterdb;

struct options {
    server_address where;
    std::uint32_t timeout_seconds = 10;
    bool raw = false;
    std::vector<std::string> command;
};

int run(const options& asked) {
    line_client lines(asked.where, std::chrono::seconds(asked.timeout_seconds), asked.raw);
    if (!asked.command.empty()) {
        return lines.run_command(asked.command);
    }
    return ::isatty(STDIN_FILENO) != 0 ? lines.run_terminal() : lines.run_pipe();
}

}  // namespace

int main(int argc, char** argv) {
    reserve_standard_streams();
    std::signal(SIGPIPE, SIG_IGN);
    options asked;
    CLI::App app(
        "Sends commands to ButterDB and prints the replies.\n"
        "butterdb-client [OPTIONS] COMMAND [ARG...] sends one; options come before it. Without a\n"
        "command, every line of standard input is one. Values that could be taken for something\n"
        "else are printed in quotes, see docs/protocol.md; --raw prints their bytes.",
        "butterdb-client");
    app.set_version_flag("--version", "butterdb-client " + std::string(version));
    app.add_option("--host", asked.where.host, "Server's name or address")
        ->envname("BUTTERDB_HOST")
        ->capture_default_str();
    app.add_option("--port", asked.where.port, "Server's port")
        ->envname("BUTTERDB_PORT")
        ->capture_default_str();
    app.add_option("--unix-socket", asked.where.unix_socket, "Server's unix socket")
        ->type_name("PATH");
    app.add_option("--timeout", asked.timeout_seconds, "Seconds to wait for a reply; 0: for ever")
        ->capture_default_str();
    app.add_flag("--raw", asked.raw, "Print a quoted value as the bytes that it stands for");
    app.prefix_command();
    app.footer(
        "Exit status: 0 done, 1 a reply was INVALID or ERROR or the server was not there,\n"
        "2 wrong usage.");
    try {
        app.parse(argc, argv);
        asked.command = app.remaining();
        if (!asked.command.empty() && asked.command.front().starts_with('-')) {
            throw CLI::ExtrasError({asked.command.front()});
        }
        return run(asked);
    } catch (const CLI::Success& shown) {
        return app.exit(shown);
    } catch (const CLI::ParseError& why) {
        std::fprintf(stderr, "butterdb-client: %s; see butterdb-client --help\n", why.what());
        return 2;
    } catch (const output_lost&) {
        return EXIT_FAILURE;
    } catch (const std::exception& why) {
        std::fprintf(stderr, "butterdb-client: %s\n", why.what());
        return EXIT_FAILURE;
    }
}
