#include "line_client.hpp"
#include "tools/connect/connect_options.hpp"
#include <butterdb/base/version.hpp>
#include <butterdb/net/platform.hpp>

#include <CLI/CLI.hpp>

#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

namespace {

using namespace butterdb;

int run(const connect_options& to, bool raw, const std::vector<std::string>& command) {
    line_client lines(to.address(), to.timeout(), raw);
    if (!command.empty()) {
        return lines.run_command(command);
    }
    return ::isatty(STDIN_FILENO) != 0 ? lines.run_terminal() : lines.run_pipe();
}

}  // namespace

int main(int argc, char** argv) {
    reserve_standard_streams();
    std::signal(SIGPIPE, SIG_IGN);
    CLI::App app(
        "Sends commands to ButterDB and prints the replies.\n"
        "butterdb-client [OPTIONS] COMMAND [ARG...] sends one; options come before it. Without a\n"
        "command, every line of standard input is one. Values that could be taken for something\n"
        "else are printed in quotes, see docs/protocol.md; --raw prints their bytes.",
        "butterdb-client");
    app.set_version_flag("--version", "butterdb-client " + std::string(version));
    const connect_options to(app);
    bool raw = false;
    app.add_flag("--raw", raw, "Print a quoted value as the bytes that it stands for");
    app.prefix_command();
    app.footer(
        "Exit status: 0 done, 1 a reply was INVALID or ERROR or the server was not there,\n"
        "2 wrong usage.");
    try {
        app.parse(argc, argv);
        const auto command = app.remaining();
        if (!command.empty() && command.front().starts_with('-')) {
            throw CLI::ExtrasError({command.front()});
        }
        return run(to, raw, command);
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
