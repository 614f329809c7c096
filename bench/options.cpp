#include "options.hpp"

#include "tools/connect/connect_options.hpp"
#include "tools/connect/number_options.hpp"
#include <butterdb/base/number.hpp>
#include <butterdb/base/text.hpp>
#include <butterdb/base/version.hpp>

#include <CLI/CLI.hpp>

#include <sched.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <map>

namespace butterdb::bench {

namespace {

constexpr std::uint64_t compare_keys = 100'000;
constexpr std::uint64_t keys_verified_max = 100'000'000;  // eight bytes each
constexpr std::uint64_t operations_max = std::uint64_t{1} << 40;
constexpr std::uint64_t cpu_max = CPU_SETSIZE - 1;    // of sched_setaffinity
constexpr std::chrono::seconds objective_max{1'000};  // the histograms end after it

const std::map<std::string, format> formats{
    {"text", format::text}, {"json", format::json}, {"csv", format::csv}};

const std::map<std::string, dialect> dialects{
    {"text", dialect::text}, {"resp", dialect::resp}, {"memcache", dialect::memcache}};

const std::map<std::string, arrivals> spacings{
    {"poisson", arrivals::poisson}, {"even", arrivals::even}};

// What is read further once all is parsed.
struct raw_options {
    double duration_seconds = 0;
    double warm_up_seconds = 0;
    std::string mix = "50:40:10";
    std::vector<std::string> commands;
    std::string choice = "uniform";
    bool choice_given = false;  // else a named mix has its own
    std::string sizes = "16";
    std::string format_name = "text";
    std::string dialect_name = "text";
    std::string spacing_name = "poisson";
    std::string goal;
};

// Returns the parts between separators, empty ones too: one part at least.
std::vector<std::string> split(const std::string& text, char separator) {
    std::vector<std::string> parts;
    std::size_t begin = 0;
    for (auto end = text.find(separator); end != text.npos; end = text.find(separator, begin)) {
        parts.push_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    parts.push_back(text.substr(begin));
    return parts;
}

[[noreturn]] void refuse(const char* option, const std::string& why) {
    throw CLI::ValidationError(option, why);
}

void read_mix(const std::string& mix, workload& work) {
    if (set_named_mix(mix, work)) {
        return;
    }
    const auto parts = split(mix, ':');
    std::array<std::uint64_t, 3> percent{};
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < std::min(parts.size(), percent.size()); ++i) {
        const auto number = parse_whole<std::uint32_t>(parts[i]);
        percent[i] = number.value_or(1000);
        sum += percent[i];
    }
    if (parts.size() != percent.size() || sum != 100) {
        refuse(
            "--mix",
            "wants PUT:GET:DEL in percent that make 100, such as 50:40:10, or ycsb-a to ycsb-f");
    }
    work.kinds.clear();
    using enum request_kind::effect;
    const std::array effects{put, get, del};
    for (std::size_t i = 0; i < percent.size(); ++i) {
        if (percent[i] > 0) {
            request_kind kind;
            kind.what = effects[i];
            kind.weight = percent[i];
            work.kinds.push_back(kind);
        }
    }
}

// `GET {key}`, or with a weight: `80:GET {key}`.
request_kind read_command(const std::string& text) {
    request_kind kind;
    auto words = text;
    const auto colon = text.find(':');
    const auto blank = text.find(' ');
    if (colon != text.npos && colon < blank) {
        const auto weight = parse_whole<std::uint32_t>(std::string_view(text).substr(0, colon));
        if (!weight || *weight == 0) {
            refuse("--command", "wants a weight of 1 or more before the colon, as 80:GET {key}");
        }
        kind.weight = *weight;
        words = text.substr(colon + 1);
    }
    for (auto& word : split(words, ' ')) {
        if (!word.empty()) {
            kind.words.push_back(std::move(word));
        }
    }
    if (kind.words.empty()) {
        refuse("--command", "is empty");
    }
    auto verb = kind.words.front();
    std::ranges::transform(verb, verb.begin(), [](char c) {
        return static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    });
    const auto is = [&](std::string_view name, const std::vector<std::string>& arguments) {
        return verb == name &&
               std::equal(
                   kind.words.begin() + 1, kind.words.end(), arguments.begin(), arguments.end());
    };
    kind.what = request_kind::effect::other;
    if (is("GET", {"{key}"})) {
        kind.what = request_kind::effect::get;
    } else if (is("SET", {"{key}", "{value}"}) || is("PUT", {"{key}", "{value}"})) {
        kind.what = request_kind::effect::put;
    } else if (is("DEL", {"{key}"})) {
        kind.what = request_kind::effect::del;
    }
    return kind;
}

double read_share(const char* option, const std::string& text) {
    const auto number = parse_decimal(text);
    if (!number || *number <= 0 || *number >= 1) {
        refuse(option, "wants a number between 0 and 1, not '" + text + "'");
    }
    return *number;
}

// `uniform`, `zipf`, `zipf:0.99`, `latest`, `sequential`, `hot:0.1:0.9`.
void read_choice(const std::string& text, key_choice& choice) {
    const auto parts = split(text, ':');
    const auto& name = parts.front();
    using enum key_choice::shape;
    if ((name == "zipf" || name == "latest") && parts.size() <= 2) {
        choice.what = name == "zipf" ? zipf : latest;
        if (parts.size() == 2) {
            choice.skew = read_share("--keys-by", parts[1]);
        }
    } else if (name == "hot" && parts.size() != 2 && parts.size() <= 3) {
        choice.what = hot;
        if (parts.size() == 3) {
            choice.hot_share = read_share("--keys-by", parts[1]);
            choice.hot_weight = read_share("--keys-by", parts[2]);
        }
    } else if ((name == "sequential" || name == "uniform") && parts.size() == 1) {
        choice.what = name == "uniform" ? uniform : sequential;
    } else {
        refuse(
            "--keys-by",
            "wants uniform, zipf[:SKEW], latest[:SKEW], sequential or hot[:SHARE:WEIGHT]");
    }
}

// `32`, `16-1024`, `16:9,1000-2000:1`.
value_sizes read_sizes(const std::string& text) {
    constexpr std::size_t value_bytes_max = 512 * MiB;
    value_sizes sizes;
    sizes.ranges.clear();
    for (const auto& part : split(text, ',')) {
        value_sizes::range range;
        const auto weighted = split(part, ':');
        const auto ends = split(weighted.front(), '-');
        range.least = parse_whole<std::size_t>(ends.front()).value_or(0);
        range.most = parse_whole<std::size_t>(ends.back()).value_or(0);
        range.weight =
            weighted.size() == 1 ? 1 : parse_whole<std::uint32_t>(weighted.back()).value_or(0);
        if (range.least < 1 || range.most > value_bytes_max || range.least > range.most ||
            range.weight == 0 || weighted.size() > 2 || ends.size() > 2) {
            refuse("--value-size", "wants bytes: 32, 16-1024, or a list with weights: 16:9,1000:1");
        }
        sizes.ranges.push_back(range);
    }
    return sizes;
}

// `p99<1ms`, `p99.9<500us`, `max<2s`.
objective read_goal(const std::string& text) {
    objective goal;
    goal.text = text;
    const auto sign = text.find('<');
    const auto left = text.substr(0, sign);
    const auto right = sign == text.npos ? std::string() : text.substr(sign + 1);
    const auto percent =
        left == "max" ? std::optional(100.0) : parse_decimal(left.substr(left.empty() ? 0 : 1));
    const auto digits = right.find_first_not_of("0123456789.");
    const auto number = parse_decimal(right.substr(0, digits));
    const auto unit = digits == right.npos ? std::string() : right.substr(digits);
    const std::map<std::string, double> units{{"us", 1e3}, {"ms", 1e6}, {"s", 1e9}};
    const bool is_percentile = left == "max" || left.starts_with('p');
    if (!is_percentile || !percent || *percent <= 0 || *percent > 100 || !number || *number <= 0 ||
        !units.contains(unit)) {
        refuse("--slo", "wants a percentile and a bound: p99<1ms, p99.9<500us, max<1s");
    }
    const std::chrono::duration<double, std::nano> bound(*number * units.at(unit));
    if (bound > objective_max) {
        refuse("--slo", "has a bound of 1000s at most");
    }
    goal.percent = *percent;
    goal.bound = std::chrono::duration_cast<std::chrono::nanoseconds>(bound);
    return goal;
}

void check_keys(const workload& work, std::size_t clients) {
    if (work.keys > keys_possible(work.key_bytes)) {
        refuse(
            "--keys",
            std::to_string(work.key_bytes) + " letters (--key-size) give " +
                std::to_string(keys_possible(work.key_bytes)) + " different keys at most");
    }
    if (work.verify && (work.keys < clients || work.keys > keys_verified_max)) {
        refuse(
            "--verify",
            "wants --keys of at least the clients, and at most " +
                std::to_string(keys_verified_max));
    }
    const bool each_has_its_own = work.choice.what == key_choice::shape::sequential ||
                                  work.choice.what == key_choice::shape::latest;
    if (each_has_its_own && work.keys != 0 && work.keys < clients) {
        refuse("--keys", "are to be at least as many as the clients, with this --keys-by");
    }
}

std::vector<std::size_t> default_clients(mode what) {
    switch (what) {
        case mode::suite:
            return {1, 2, 4, 8, 16, 32};
        case mode::run:
            return {8};
        case mode::scale:
            return {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000};
        case mode::search:
        case mode::compare:
            return {50};
    }
    return {};
}

void add_output(CLI::App& app, options& asked, raw_options& raw) {
    app.add_option("--format", raw.format_name, "text, json or csv; fields: docs/benchmarks.md")
        ->check(CLI::IsMember(formats))
        ->capture_default_str();
    app.add_option("--report", asked.report_file, "Write a page with charts")
        ->type_name("FILE.html");
    app.add_option(
           "--hgrm", asked.hgrm_file, "Write the last test's latencies for HdrHistogram's plotters")
        ->type_name("FILE");
    app.add_option(
           "--baseline",
           asked.baseline_file,
           "Compare with what an earlier run wrote with --format csv; exit 1 when worse")
        ->type_name("FILE.csv")
        ->check(CLI::ExistingFile);
    app.add_option("--tolerance", asked.tolerance, "Share that --baseline may be missed by")
        ->transform(decimal_number(0, 1))
        ->capture_default_str();
}

void add_where(CLI::App& app, options& asked, raw_options& raw) {
    app.add_flag("--spawn", asked.spawn, "Start a butterdb for this run, and stop it at the end");
    app.add_option("--protocol", raw.dialect_name, "text, resp or memcache (default: text)")
        ->check(CLI::IsMember(dialects));
    app.add_option("--server-cpu", asked.server_cpu, "Processor for servers that are started")
        ->transform(whole_number(0, cpu_max));
    app.add_option("--client-cpus", asked.test.cpus, "Processors for this tool's threads: 0,1")
        ->delimiter(',')
        ->transform(whole_number(0, cpu_max));
}

void add_load(CLI::App& app, options& asked, raw_options& raw) {
    auto& test = asked.test;
    app.add_option("--clients", asked.clients, "Connections; a list runs each: 1,8,64")
        ->delimiter(',')
        ->transform(whole_number(1, 100'000));
    app.add_option("--threads", test.threads, "Threads of this tool")
        ->transform(whole_number(1, 1'000))
        ->capture_default_str();
    auto* const operations =
        app.add_option("--ops", asked.operations, "Requests of each client (default: 10000)")
            ->transform(whole_number(1, operations_max));
    auto* const duration =
        app.add_option(
               "--duration", raw.duration_seconds, "Seconds, instead of a number of requests")
            ->transform(decimal_number(0.001, 86'400))
            ->excludes(operations);
    app.add_option("--warm-up", raw.warm_up_seconds, "Seconds of the same load before")
        ->transform(decimal_number(0, 3'600));
    auto* const pipeline = app.add_option("--pipeline", test.pipeline, "Requests sent together")
                               ->transform(whole_number(1, 100'000))
                               ->capture_default_str();
    app.add_option("--rate", test.rate, "Requests a second in all, sent when due: an open loop")
        ->transform(decimal_number(0.1, 1e9))
        ->needs(duration)
        ->excludes(pipeline);
    app.add_option("--arrivals", raw.spacing_name, "Of --rate: poisson or even")
        ->check(CLI::IsMember(spacings))
        ->capture_default_str();
    app.add_flag("--poll", test.poll, "Never sleep: its own wake-ups are then in no latency");
    app.add_option("--rounds", asked.rounds, "Run every test so often (default: 1; compare: 5)")
        ->transform(whole_number(1, 1'000));
}

void add_workload(CLI::App& app, options& asked, raw_options& raw) {
    auto& work = asked.test.work;
    auto* const mix =
        app.add_option("--mix", raw.mix, "Percent of PUT:GET:DEL, or ycsb-a to ycsb-f")
            ->capture_default_str();
    app.add_option(
           "--command",
           raw.commands,
           "Any command, instead of --mix, with its weight: '80:GET {key}' (more than once)")
        ->excludes(mix)
        ->take_all()
        ->allow_extra_args(false);
    app.add_option("--keys", work.keys, "Different keys; 0: as many as the letters give")
        ->transform(whole_number(0, UINT64_MAX))
        ->capture_default_str();
    app.add_option(
           "--keys-by", raw.choice, "uniform, zipf[:SKEW], latest, sequential, hot[:SHARE:WEIGHT]")
        ->capture_default_str();
    app.add_option("--key-size", work.key_bytes, "Letters of a key")
        ->transform(whole_number(1, 32'768))
        ->capture_default_str();
    app.add_option("--value-size", raw.sizes, "Letters of a value: 32, 16-1024, 16:9,1000:1")
        ->capture_default_str();
    app.add_flag("--preload", asked.test.preload, "Put every key before the test (needs --keys)");
    app.add_flag(
        "--verify",
        work.verify,
        "Each client keeps to its own keys, and knows what they hold: finds lost writes");
    app.add_option("--seed", work.seed, "The same seed sends the same bytes")
        ->transform(whole_number(0, UINT64_MAX))
        ->capture_default_str();
}

void add_tasks(CLI::App& app, options& asked, raw_options& raw) {
    const auto add = [&](const char* name, const char* help, mode what) {
        auto* const sub = app.add_subcommand(name, help)->fallthrough();
        sub->callback([&asked, what] { asked.what = what; });
        return sub;
    };
    add("scale", "One test for each number of --clients (default: 1 to 1000)", mode::scale);
    add("search", "The highest --rate that holds an objective", mode::search)
        ->add_option("--slo", raw.goal, "A percentile and its bound: p99<1ms, max<10ms")
        ->required();
    add("compare", "Drives servers in turns, --rounds times (default: 5)", mode::compare)
        ->add_option(
            "servers",
            asked.servers,
            "butterdb, redis-server, valkey-server, memcached, floor: started here. NAME=PORT or "
            "NAME=HOST:PORT: is there. NAME=PORT:COMMAND: started so")
        ->required();
    app.require_subcommand(0, 1);
}

bool writes_many_keys(const workload& work) {
    return std::ranges::any_of(work.kinds, [](const request_kind& kind) {
        return std::ranges::find(kind.words, "{keys}") != kind.words.end() &&
               !equals_ignoring_case(kind.words.front(), "MGET");
    });
}

// What a mode would have to ignore is refused.
void check_task(const options& asked) {
    const bool is_search = asked.what == mode::search;
    const bool is_compare = asked.what == mode::compare;
    if ((is_search || is_compare) && asked.clients.size() > 1) {
        refuse("--clients", "is one number, in search and compare");
    }
    if (is_search && (asked.test.pipeline > 1 || asked.rounds || asked.operations > 0)) {
        refuse(
            "search", "sends at a rate, for a --duration: without --pipeline, --rounds and --ops");
    }
    if (is_search && !asked.baseline_file.empty()) {
        refuse("--baseline", "is not for search, whose rates are others in each run");
    }
    if (is_compare && asked.spawn) {
        refuse("--spawn", "is not for compare, which is told its servers");
    }
}

void finish_workload(options& asked, const raw_options& raw) {
    auto& work = asked.test.work;
    work.spoken = dialects.at(raw.dialect_name);
    read_mix(raw.mix, work);
    if (raw.choice_given) {
        read_choice(raw.choice, work.choice);
    }
    if (!raw.commands.empty()) {
        work.kinds.clear();
        for (const auto& each : raw.commands) {
            work.kinds.push_back(read_command(each));
        }
    }
    work.sizes = read_sizes(raw.sizes);
    if (const auto why = objection(work); !why.empty()) {
        refuse("--protocol", why);
    }
    if (work.verify && writes_many_keys(work)) {
        refuse("--verify", "knows what one key holds: {keys} in MGET alone");
    }
    if (asked.test.preload && work.keys == 0) {
        refuse("--preload", "needs to know how many: --keys");
    }
}

void finish(options& asked, const raw_options& raw) {
    auto& test = asked.test;
    test.duration = seconds(raw.duration_seconds);
    test.warm_up = seconds(raw.warm_up_seconds);
    test.spaced = spacings.at(raw.spacing_name);
    asked.output = formats.at(raw.format_name);
    finish_workload(asked, raw);
    if (asked.what == mode::suite && !asked.clients.empty()) {
        asked.what = mode::run;
    }
    if (asked.what == mode::suite && (test.open_loop() || !raw.commands.empty())) {
        asked.what = mode::run;
    }
    if (asked.what == mode::search) {
        asked.goal = read_goal(raw.goal);
    }
    if (asked.what == mode::compare) {
        test.preload = true;
        if (test.work.keys == 0) {
            test.work.keys = std::min(compare_keys, keys_possible(test.work.key_bytes));
        }
    }
    check_task(asked);
    if (asked.clients.empty()) {
        asked.clients = default_clients(asked.what);
    }
    check_keys(test.work, std::ranges::max(asked.clients));
}

}  // namespace

options read_options(int argc, const char* const* argv, std::string& help) {
    options asked;
    raw_options raw;
    CLI::App app(
        "Measures a server. Without a command and --clients: the two tests of ButterDB's first "
        "benchmark.",
        "butterdb-bench");
    app.set_version_flag("--version", "butterdb-bench " + std::string(version));
    const connect_options to(app);
    add_where(app, asked, raw);
    add_output(app, asked, raw);
    add_load(app, asked, raw);
    add_workload(app, asked, raw);
    add_tasks(app, asked, raw);
    app.footer(
        "The keys that it puts stay in the server; FLUSHALL deletes them, and all others.\n"
        "Exit status: 0 done, 1 a reply was wrong, the server was not there, or a figure is worse\n"
        "than --baseline or cannot be compared with it; 2 wrong usage.");
    try {
        app.parse(argc, argv);
    } catch (const CLI::CallForHelp&) {
        help = app.help();
        throw;
    }
    raw.choice_given = app.count("--keys-by") > 0;
    asked.dialect_given = app.count("--protocol") > 0;
    if (asked.spawn && to.is_place_given(argc, argv)) {
        refuse("--spawn", "starts a server of its own: without --host, --port and --unix-socket");
    }
    if (!asked.report_file.empty() && !std::ofstream(asked.report_file, std::ios::app)) {
        refuse("--report", "cannot write " + asked.report_file);
    }
    finish(asked, raw);
    asked.server.where = to.address();
    asked.server.timeout = to.timeout();
    return asked;
}

}  // namespace butterdb::bench
