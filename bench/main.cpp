#include "load.hpp"
#include "options.hpp"
#include "report.hpp"
#include "server_process.hpp"
#include <butterdb/net/platform.hpp>

#include <CLI/CLI.hpp>

#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>
#include <string>
#include <system_error>

namespace {

using namespace butterdb;
using namespace butterdb::bench;

// A line on the terminal that rewrites itself; nothing when stderr is no terminal.
progress make_progress() {
    if (::isatty(STDERR_FILENO) == 0) {
        return nullptr;
    }
    return [](std::uint64_t operations, std::chrono::duration<double> elapsed) {
        std::fprintf(
            stderr,
            "\r  %6.1f s  %12llu ops  %10.0f ops/s ",
            elapsed.count(),
            static_cast<unsigned long long>(operations),
            static_cast<double>(operations) / elapsed.count());
    };
}

void clear_progress() {
    if (::isatty(STDERR_FILENO) != 0) {
        std::fprintf(stderr, "\r\x1b[K");
    }
}

int run(options& asked) {
    std::optional<spawned_server> spawned;
    if (asked.spawn) {
        asked.server.where = {"127.0.0.1", spawned.emplace().port(), {}};
    }
    try {
        asked.server.process_id = local_process_of(asked.server.where, asked.server.timeout);
    } catch (const std::system_error& why) {
        throw std::runtime_error(
            "no server answers on " + name_of(asked.server.where) + ": " + why.code().message() +
            "; start one with: butterdb, or let this program start one with: --spawn");
    }
    const auto tell = make_progress();
    bool failed = false;
    report out(asked.output);
    out.begin(name_of(asked.server.where));
    for (const auto& planned : asked.plan) {
        const auto measured = run_load(asked.server, planned.test, tell);
        clear_progress();
        out.add(planned, measured);
        failed = failed || measured.failed();
    }
    out.end();
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

}  // namespace

int main(int argc, char** argv) {
    reserve_standard_streams();
    std::signal(SIGPIPE, SIG_IGN);
    raise_descriptor_limit();
    std::string help;
    try {
        auto asked = read_options(argc, argv, help);
        return run(asked);
    } catch (const CLI::CallForHelp&) {
        std::fputs(help.c_str(), stdout);
        return EXIT_SUCCESS;
    } catch (const CLI::CallForVersion& shown) {
        std::printf("%s\n", shown.what());
        return EXIT_SUCCESS;
    } catch (const CLI::ParseError& why) {
        std::fprintf(stderr, "butterdb-bench: %s; see butterdb-bench --help\n", why.what());
        return 2;
    } catch (const std::exception& why) {
        std::fprintf(stderr, "butterdb-bench: %s\n", why.what());
        return EXIT_FAILURE;
    }
}
