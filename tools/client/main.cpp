#include "line_client.hpp"
#include "tools/connect/connect_options.hpp"
#include <butterdb/base/version.hpp>
#include <butterdb/net/platform.hpp>

#include <CLI/CLI.hpp>

#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

namespace {

using namespace butterdb;

int run(const connect_options& to, bool is_raw, const std::vector<std::string>& command) {
    using enum reply_text::form;
    const auto bytes = ::isatty(STDOUT_FILENO) != 0 ? raw_on_terminal : raw;
    line_client lines(to.address(), to.timeout(), is_raw ? bytes : quoted);
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
        "butterdb-client [OPTIONS] [--] COMMAND [ARG...] sends one; options come before it. "
        "Without\n"
        "a command, every line of standard input is one. Values that could be mistaken for "
        "another\n"
        "reply, or that would control a terminal, are printed in quotes with escapes, as\n"
        "docs/protocol.md says; --raw prints their bytes.",
        "butterdb-client");
    app.set_version_flag("--version", "butterdb-client " + std::string(version));
    const connect_options to(app);
    bool raw = false;
    app.add_flag(
        "--raw",
        raw,
        "Print the bytes of values, and of lists the elements alone; on a terminal with escapes");
    app.prefix_command();
    app.footer(
        "Exit status: 0 done; 1 INVALID or ERROR was a reply or in a list, a line was not sent, "
        "or\n"
        "the server was not there; 2 wrong usage.");
    try {
        app.parse(argc, argv);
        auto command = app.remaining();
        if (!command.empty() && command.front() == "--") {
            command.erase(command.begin());
        } else if (!command.empty() && command.front().starts_with('-')) {
            throw CLI::ExtrasError({command.front()});
        }
        return run(to, raw, command);
    } catch (const CLI::Success& shown) {
        return app.exit(shown);
    } catch (const CLI::ParseError& why) {
        write_error("butterdb-client: " + std::string(why.what()) + "; see butterdb-client --help");
        return 2;
    } catch (const output_lost&) {
        return EXIT_FAILURE;
    } catch (const std::exception& why) {
        write_error("butterdb-client: " + std::string(why.what()));
        return EXIT_FAILURE;
    }
}
