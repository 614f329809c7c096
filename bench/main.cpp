#include "baseline.hpp"
#include "html_report.hpp"
#include "options.hpp"
#include "report.hpp"
#include "tasks.hpp"
#include <butterdb/base/text.hpp>
#include <butterdb/net/platform.hpp>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>

namespace {

using namespace butterdb;
using namespace butterdb::bench;

void complain(const std::string& text) {
    std::fprintf(stderr, "butterdb-bench: %s\n", escape_for_terminal(text).c_str());
}

void write_file(const std::string& path, const std::string& text) {
    std::ofstream out(path, std::ios::binary);
    out << text;
    if (!out.flush()) {
        throw std::runtime_error("cannot write " + path);
    }
}

// Prints what is worse than the baseline. Returns whether anything is.
bool report_regressions(const options& asked, const baseline& earlier, const findings& found) {
    const auto worse = earlier.compare(found.results, asked.tolerance);
    for (const auto& each : worse) {
        complain("worse than the baseline: " + each);
    }
    return !worse.empty();
}

int run(const options& asked, std::string command_line) {
    std::optional<baseline> earlier;
    if (!asked.baseline_file.empty()) {
        earlier.emplace(asked.baseline_file);
        for (const auto& each : planned_tests(asked)) {
            earlier->require(each);
        }
    }
    report out(asked.output, asked.what == mode::scale);
    auto found = carry_out(asked, out);
    out.end();
    found.command_line = std::move(command_line);
    if (!asked.report_file.empty()) {
        write_file(asked.report_file, html_report(found));
    }
    if (!asked.hgrm_file.empty() && !found.results.empty()) {
        write_file(asked.hgrm_file, found.results.back().measured.latency.to_hgrm());
    }
    // Search goes on until the server gives way; what is wrong is wrong there, too.
    const bool failed = std::ranges::any_of(found.results, [&](const auto& each) {
        return asked.what == mode::search ? each.measured.has_wrong() : each.measured.failed();
    });
    const bool worse = earlier && report_regressions(asked, *earlier, found);
    return failed || worse ? EXIT_FAILURE : EXIT_SUCCESS;
}

}  // namespace

int main(int argc, char** argv) {
    reserve_standard_streams();
    std::signal(SIGPIPE, SIG_IGN);
    const auto descriptors = raise_descriptor_limit();
    std::string help;
    try {
        const auto asked = read_options(argc, argv, help);
        constexpr std::size_t descriptors_kept = 32;
        const auto clients = std::ranges::max(asked.clients);
        if (clients + descriptors_kept > descriptors) {
            throw std::runtime_error(
                std::to_string(clients) + " clients need more open files than the " +
                std::to_string(descriptors) + " that the system allows (ulimit -n)");
        }
        std::string command_line = "butterdb-bench";
        for (int i = 1; i < argc; ++i) {
            command_line.append(" ").append(argv[i]);
        }
        return run(asked, std::move(command_line));
    } catch (const CLI::CallForHelp&) {
        std::fputs(help.c_str(), stdout);
        return EXIT_SUCCESS;
    } catch (const CLI::CallForVersion& shown) {
        std::printf("%s\n", shown.what());
        return EXIT_SUCCESS;
    } catch (const CLI::ParseError& why) {
        complain(std::string(why.what()) + "; see butterdb-bench --help");
        return 2;
    } catch (const std::exception& why) {
        complain(why.what());
        return EXIT_FAILURE;
    }
}
