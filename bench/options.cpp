#include "options.hpp"

#include <butterdb/base/version.hpp>

#include <CLI/CLI.hpp>

#include <array>
#include <cstdio>
#include <map>

namespace butterdb::bench {

namespace {

constexpr std::uint64_t baseline_operations = 10'000;
constexpr std::uint64_t scaling_operations = 5'000;

const std::map<std::string, format> formats{
    {"text", format::text}, {"json", format::json}, {"csv", format::csv}};

// 40000 -> "40k", as the seed's titles say it.
std::string short_number(std::uint64_t number) {
    return number % 1000 == 0 ? std::to_string(number / 1000) + "k" : std::to_string(number);
}

struct raw_options {
    std::vector<std::size_t> clients;
    std::uint64_t operations = 0;
    double duration_seconds = 0;
    std::string mix = "50:40:10";
    std::uint32_t timeout_seconds = 10;
    std::string format_name = "text";
    load common;
};

void read_mix(const std::string& mix, workload& work) {
    int used = 0;
    const int fields = std::sscanf(
        mix.c_str(), "%u:%u:%u%n", &work.put_percent, &work.get_percent, &work.del_percent, &used);
    const auto sum = std::uint64_t{work.put_percent} + work.get_percent + work.del_percent;
    if (fields != 3 || static_cast<std::size_t>(used) != mix.size() || sum != 100) {
        throw CLI::ValidationError(
            "--mix", "wants PUT:GET:DEL in percent that make 100, such as 50:40:10");
    }
}

void check_keys(const workload& work) {
    if (work.keys > keys_possible(work.key_bytes)) {
        throw CLI::ValidationError(
            "--keys",
            std::to_string(work.key_bytes) + " letters (--key-size) give " +
                std::to_string(keys_possible(work.key_bytes)) + " different keys at most");
    }
}

load with(const raw_options& raw, std::size_t clients, std::uint64_t operations) {
    auto test = raw.common;
    test.clients = clients;
    test.operations = raw.operations != 0 ? raw.operations : operations;
    return test;
}

std::string amount(const load& test) {
    if (test.duration != test.duration.zero()) {
        std::array<char, 32> text{};
        std::snprintf(text.data(), text.size(), "%g s", test.duration.count());
        return text.data();
    }
    return short_number(test.operations) + " ops each";
}

std::vector<planned_test> make_plan(const raw_options& raw) {
    using enum planned_test::style;
    std::vector<planned_test> plan;
    const auto add_full = [&](const std::string& name, const load& test) {
        const auto title = name + " (" + std::to_string(test.clients) +
                           (test.clients == 1 ? " client x " : " clients x ") + amount(test) + ")";
        plan.push_back({full, title, test});
    };
    for (const auto clients : raw.clients) {
        add_full("Run", with(raw, clients, baseline_operations));
    }
    if (!plan.empty()) {
        return plan;
    }
    add_full("Test 1 - Baseline Run", with(raw, 4, baseline_operations));
    for (const std::size_t clients : {1U, 2U, 4U, 8U, 16U, 32U}) {
        plan.push_back(
            {line,
             "Test 2 - Scaling with Concurrent Clients",
             with(raw, clients, scaling_operations)});
    }
    return plan;
}

void add_server(CLI::App& app, options& asked, raw_options& raw) {
    auto& where = asked.server.where;
    auto* const host = app.add_option("--host", where.host, "Server's name or address");
    auto* const port = app.add_option("--port", where.port, "Server's port");
    auto* const path = app.add_option("--unix-socket", where.unix_socket, "Server's unix socket");
    host->envname("BUTTERDB_HOST")->capture_default_str();
    port->envname("BUTTERDB_PORT")->capture_default_str();
    path->type_name("PATH");
    app.add_flag("--spawn", asked.spawn, "Start a butterdb for this run, and stop it at the end")
        ->excludes(host, port, path);
    app.add_option("--timeout", raw.timeout_seconds, "Seconds to wait for a reply; 0: for ever")
        ->capture_default_str();
    app.add_option("--format", raw.format_name, "text, json or csv")
        ->check(CLI::IsMember(formats))
        ->capture_default_str();
}

void add_load(CLI::App& app, raw_options& raw) {
    auto& work = raw.common.work;
    app.add_option(
           "--clients", raw.clients, "Clients, one coroutine each; a list runs each: 1,8,64")
        ->delimiter(',')
        ->check(CLI::Range(1, 100'000));
    auto* const operations =
        app.add_option("--ops", raw.operations, "Operations of each client (default: 10000)")
            ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 40));
    app.add_option("--duration", raw.duration_seconds, "Seconds, instead of a number of operations")
        ->check(CLI::Range(0.001, 86'400.0))
        ->excludes(operations);
    app.add_option("--pipeline", raw.common.pipeline, "Requests sent together")
        ->check(CLI::Range(1, 100'000))
        ->capture_default_str();
    app.add_option("--mix", raw.mix, "Percent of PUT:GET:DEL")->capture_default_str();
    app.add_option("--keys", work.keys, "Different keys; 0: as many as the letters give")
        ->capture_default_str();
    app.add_option("--key-size", work.key_bytes, "Letters of a key")
        ->check(CLI::Range(1, 32'768))
        ->capture_default_str();
    app.add_option("--value-size", work.value_bytes, "Letters of a value")
        ->check(CLI::Range(1, 32'000))
        ->capture_default_str();
    app.add_option("--seed", work.seed, "The same seed sends the same bytes")
        ->capture_default_str();
}

}  // namespace

options read_options(int argc, const char* const* argv, std::string& help) {
    options asked;
    raw_options raw;
    CLI::App app(
        "Measures a ButterDB server. Without --clients: the two tests of the first benchmark.",
        "butterdb-bench");
    app.set_version_flag("--version", "butterdb-bench " + std::string(version));
    add_server(app, asked, raw);
    add_load(app, raw);
    app.footer(
        "The keys that it puts stay in the server; FLUSHALL deletes them, and all others.\n"
        "Exit status: 0 done, 1 a reply was wrong or the server was not there, 2 wrong usage.");
    help = app.help();
    app.parse(argc, argv);
    read_mix(raw.mix, raw.common.work);
    check_keys(raw.common.work);
    raw.common.duration = std::chrono::duration<double>(raw.duration_seconds);
    asked.server.timeout = std::chrono::seconds(raw.timeout_seconds);
    asked.output = formats.at(raw.format_name);
    asked.plan = make_plan(raw);
    return asked;
}

}  // namespace butterdb::bench
