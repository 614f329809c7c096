#include "tasks.hpp"

#include "process.hpp"
#include "servers.hpp"
#include "text.hpp"
#include "trial.hpp"
#include <butterdb/base/number.hpp>

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <random>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace butterdb::bench {

namespace {

constexpr std::uint64_t suite_baseline_operations = 10'000;
constexpr std::uint64_t suite_scaling_operations = 5'000;
constexpr unsigned compare_rounds = 5;
constexpr seconds default_duration{2};

// Of search.
constexpr double first_rate = 1'000;
constexpr double rate_max = 1e8;
constexpr double precision = 0.03;

// A line on the terminal that rewrites itself; nothing when stderr is no terminal.
class progress_line {
public:
    explicit progress_line(seconds length) : length_(length) {}

    progress tell() {
        if (::isatty(STDERR_FILENO) == 0) {
            return nullptr;
        }
        return [this](const moment& now) {
            shown_ = true;
            errors_ += now.errors;
            std::fprintf(
                stderr,
                "\r\x1b[K  %6.1f s  %10.0f ops/s  p99 %.3f ms  %llu errors",
                now.at.count(),
                now.throughput,
                seconds(now.p99).count() * 1e3,
                static_cast<unsigned long long>(errors_));
            if (length_ > length_.zero()) {
                std::fprintf(stderr, "  %.0f s left", std::max(0.0, (length_ - now.at).count()));
            }
        };
    }

    void clear() const {
        if (shown_) {
            std::fprintf(stderr, "\r\x1b[K");
        }
    }

private:
    seconds length_;
    std::uint64_t errors_ = 0;
    bool shown_ = false;
};

result run_one(
    const target& server,
    const std::string& name,
    load test,
    const std::string& title,
    unsigned round) {
    test.work.first_version = std::random_device()();
    progress_line line(test.duration);
    auto measured = run_load(server, test, line.tell());
    line.clear();
    auto said = judge(test, measured);
    return {title, name, round, std::move(test), std::move(measured), std::move(said)};
}

// 40000 -> "40k", as the seed's titles say it.
std::string short_number(std::uint64_t number) {
    return number % 1000 == 0 ? std::to_string(number / 1000) + "k" : std::to_string(number);
}

std::string title_of(const std::string& name, const load& test) {
    const auto amount = test.duration == test.duration.zero()
                            ? short_number(test.operations) + " ops each"
                            : shown(test.duration.count()) + " s";
    const auto rate = test.open_loop() ? ", " + shown(test.rate) + " ops/s asked" : std::string();
    return name + " (" + std::to_string(test.clients) +
           (test.clients == 1 ? " client x " : " clients x ") + amount + rate + ")";
}

load with(const options& asked, std::size_t clients, std::uint64_t operations) {
    auto test = asked.test;
    test.clients = clients;
    test.threads = std::min(test.threads, clients);
    test.operations = asked.operations != 0 ? asked.operations : operations;
    return test;
}

// A load that lasts for a while, unless the options say how long.
load lasting(const options& asked, std::size_t clients) {
    auto test = with(asked, clients, 0);
    if (asked.operations == 0 && test.duration == test.duration.zero()) {
        test.duration = default_duration;
    }
    return test;
}

// The part of a server's description, as compare is given it, that is its name.
std::string name_in(const std::string& spec) {
    return spec.substr(0, spec.find('='));
}

// The load of compare for one of its servers, in the protocol that this speaks.
load compared_load(const options& asked, const std::string& spec) {
    auto test = lasting(asked, asked.clients.front());
    auto& work = test.work;
    if (spec.find('=') != spec.npos) {
        work.spoken = asked.dialect_given ? work.spoken : dialect::resp;
        return test;
    }
    const auto program = known_program(spec, work);
    if (!program) {
        throw std::runtime_error(
            "cannot start '" + spec +
            "': it is none of butterdb, redis-server, "
            "valkey-server, memcached, floor; give NAME=PORT:COMMAND");
    }
    const bool speaks_all = program->spoken == dialect::resp && spec == "butterdb";
    work.spoken = speaks_all && asked.dialect_given ? work.spoken : program->spoken;
    work.judge = spec != "floor";
    return test;
}

std::string server_name(const options& asked) {
    return asked.spawn ? "butterdb" : name_of(asked.server.where);
}

// The server of --spawn, or the one whose address was given.
class server_in_use {
public:
    explicit server_in_use(const options& asked) : server_(asked.server) {
        const auto spoken = asked.test.work.spoken;
        if (asked.spawn) {
            started_.emplace(*known_program("butterdb", asked.test.work), asked.server_cpu);
            server_.where = server_address();
            server_.where.host = "127.0.0.1";
            server_.where.port = started_->port();
        }
        try {
            server_.process_id = local_process_of(server_.where, spoken, server_.timeout);
        } catch (const std::system_error& why) {
            throw std::runtime_error(
                "no server answers on " + name_of(server_.where) + ": " + why.code().message() +
                "; start one with: butterdb, or let this program start one with: --spawn");
        }
    }

    const target& get() const noexcept { return server_; }

private:
    target server_;
    std::optional<started_server> started_;
};

// Returns a rate of four digits, which `precision` does not tell from `rate`.
double rounded(double rate) {
    return parse_decimal(text("%.4g", rate)).value_or(rate);
}

class job {
public:
    job(const options& asked, report& out) : asked_(asked), out_(out) {}

    findings carry_out() {
        if (asked_.what == mode::compare) {
            compare();
            return std::move(found_);
        }
        const server_in_use server(asked_);
        if (asked_.test.preload) {
            preload(server.get(), asked_.test);
        }
        try_commands(server.get(), asked_.test);
        switch (asked_.what) {
            case mode::search:
                search(server);
                break;
            case mode::suite:
            case mode::run:
            case mode::scale:
                found_.is_scaling = asked_.what == mode::scale;
                run_all(server);
                break;
            case mode::compare:
                break;
        }
        return std::move(found_);
    }

private:
    // Each test in all its rounds. Those of the suite are lines, but for the first.
    void run_all(const server_in_use& server) {
        for (const auto& each : planned_tests(asked_)) {
            for (unsigned round = 1; round <= asked_.rounds.value_or(1); ++round) {
                keep(run_one(server.get(), each.server, each.test, each.title, round));
            }
            out_.set_lines(asked_.what != mode::run);
        }
    }

    void keep(result each) {
        out_.add(each);
        found_.results.push_back(std::move(each));
    }

    // Doubles the rate until the objective does not hold, then halves the gap.
    void search(const server_in_use& server) {
        search_result searched;
        searched.goal = asked_.goal.text;
        double good = 0;
        double bad = 0;
        const auto least = least_rate();
        auto rate = std::max(asked_.test.open_loop() ? asked_.test.rate : first_rate, least);
        while (rate >= least && rate <= rate_max && (bad == 0 || bad - good > precision * bad)) {
            const auto step = try_rate(server, rate);
            out_.add(step);
            searched.steps.push_back(step);
            (step.holds ? good : bad) = rate;
            if (bad == 0) {
                rate = rounded(2 * good);
            } else if (good == 0) {
                rate = rounded(bad / 2);
            } else {
                rate = rounded((good + bad) / 2);
            }
        }
        searched.best_rate = good;
        out_.add(searched);
        found_.searched = std::move(searched);
    }

    // Below it, there are too few requests to know the percentile.
    double least_rate() const {
        constexpr double beyond = 20;
        const auto& goal = asked_.goal;
        const auto span = lasting(asked_, 1).duration.count();
        return rounded(goal.percent < 100 ? beyond * 100 / (100 - goal.percent) / span : 1 / span);
    }

    // A bound that holds with this tool's own lateness in it holds all the more without.
    search_step try_rate(const server_in_use& server, double rate) {
        auto test = lasting(asked_, asked_.clients.front());
        test.rate = rate;
        test.poll = true;  // so that its own wake-ups do not decide
        auto each = run_one(server.get(), server_name(asked_), test, title_of("Search", test), 1);
        const auto& m = each.measured;
        search_step step;
        step.rate = rate;
        step.latency = m.latency.percentile(asked_.goal.percent);
        if (!m.gave_up.empty()) {
            step.why_not = m.gave_up;
        } else if (m.errors_in_all() > 0) {
            step.why_not =
                std::to_string(m.errors_in_all()) + " errors, such as " + m.errors.begin()->first;
        } else if (!each.said.kept_up) {
            step.why_not = shown(std::round(m.throughput())) + " ops/s were answered";
        } else if (asked_.goal.percent < 100 && !m.latency.knows(asked_.goal.percent)) {
            step.why_not = "too few requests to tell; give it a longer --duration";
        } else if (step.latency > asked_.goal.bound) {
            step.why_not = each.said.latency_refused.empty() ? "" : each.said.latency_refused;
        } else {
            step.holds = true;
        }
        if (asked_.output != format::text) {
            out_.add(each);
        }
        found_.results.push_back(std::move(each));
        return step;
    }

    // One of the servers of `compare`.
    struct contestant {
        std::string name;
        target server;
        load test;
        std::unique_ptr<started_server> started;
        std::optional<double> bytes_per_item;
        std::vector<double> throughput;
        std::vector<double> p99_us;
        std::vector<double> cpu_us;
        std::uint64_t errors = 0;
    };

    void compare() {
        auto server_cpu = asked_.server_cpu;
        auto client_cpus = asked_.test.cpus;
        const auto cpus = usable_cpus();
        if (!server_cpu && client_cpus.empty() && cpus.size() > 1) {
            server_cpu = cpus.back();
            client_cpus.assign(cpus.begin(), cpus.end() - 1);
        }
        std::vector<contestant> servers;
        for (const auto& each : asked_.servers) {
            servers.push_back(enter(each, client_cpus, server_cpu));
        }
        const auto rounds = asked_.rounds.value_or(compare_rounds);
        for (unsigned round = 1; round <= rounds; ++round) {
            for (std::size_t i = 0; i < servers.size(); ++i) {
                measure(servers[(i + round) % servers.size()], round);
            }
        }
        sum_up(servers);
    }

    // Starts or reaches one of the servers, and fills it.
    contestant enter(
        const std::string& spec,
        const std::vector<int>& client_cpus,
        std::optional<int> server_cpu) {
        contestant made;
        made.name = name_in(spec);
        made.server = asked_.server;
        made.test = compared_load(asked_, spec);
        made.test.cpus = client_cpus;
        const auto& work = made.test.work;
        if (made.name == spec) {
            start(made, *known_program(spec, work), server_cpu);
        } else {
            reach(made, spec.substr(made.name.size() + 1), server_cpu);
        }
        if (const auto why = objection(work); !why.empty()) {
            throw std::runtime_error(made.name + ": " + why);
        }
        if (work.judge) {
            fill(made);
            try_commands(made.server, made.test);
        }
        return made;
    }

    void start(contestant& made, const server_program& program, std::optional<int> server_cpu) {
        made.started = std::make_unique<started_server>(program, server_cpu);
        made.server.where = server_address();
        made.server.where.host = "127.0.0.1";
        made.server.where.port = made.started->port();
        made.server.process_id = made.started->process_id();
    }

    // `PORT`, `HOST:PORT` or `PORT:COMMAND`.
    void reach(contestant& made, const std::string& where, std::optional<int> server_cpu) {
        const auto colon = where.find(':');
        const auto first = parse_whole<std::uint16_t>(std::string_view(where).substr(0, colon));
        if (first && colon != where.npos) {
            const auto command = "exec " + where.substr(colon + 1);
            start(made, {{"/bin/sh", "-c", command}, *first, made.test.work.spoken}, server_cpu);
            return;
        }
        const auto port_begin = where.rfind(':');
        const auto port =
            first ? first
                  : parse_whole<std::uint16_t>(
                        port_begin == where.npos ? std::string_view()
                                                 : std::string_view(where).substr(port_begin + 1));
        if (!port) {
            throw std::runtime_error("'" + where + "' is none of PORT, HOST:PORT and PORT:COMMAND");
        }
        made.server.where.port = *port;
        made.server.where.host = first ? "127.0.0.1" : where.substr(0, port_begin);
        made.server.process_id = local_process_of(
            made.server.where,
            asked_.dialect_given ? made.test.work.spoken : dialect::resp,
            made.server.timeout);
    }

    // Puts all keys. The memory that this takes is known when nobody used the server before.
    void fill(contestant& made) {
        const auto& id = made.server.process_id;
        const auto before = id ? usage_of(*id) : std::nullopt;
        preload(made.server, made.test);
        const auto after = id ? usage_of(*id) : std::nullopt;
        const auto& work = made.test.work;
        const auto& sizes = work.sizes.ranges;
        const bool one_size = sizes.size() == 1 && sizes[0].least == sizes[0].most;
        if (made.started && before && after && one_size) {
            const auto grown = static_cast<double>(after->resident_bytes) -
                               static_cast<double>(before->resident_bytes);
            made.bytes_per_item = grown / static_cast<double>(work.keys) -
                                  static_cast<double>(work.key_bytes + sizes[0].least);
        }
    }

    void measure(contestant& who, unsigned round) {
        auto each = run_one(who.server, who.name, who.test, title_of("Compare", who.test), round);
        who.throughput.push_back(each.measured.throughput());
        who.p99_us.push_back(seconds(each.measured.latency.percentile(99)).count() * 1e6);
        if (const auto cpu = each.measured.cpu_per_operation()) {
            who.cpu_us.push_back(*cpu * 1e6);
        }
        who.errors += each.measured.errors_in_all();
        if (asked_.output != format::text) {
            out_.add(each);
        }
        found_.results.push_back(std::move(each));
    }

    void sum_up(const std::vector<contestant>& servers) {
        const auto& first = servers.front();
        for (const auto& each : servers) {
            comparison_row row;
            row.server = each.name;
            row.throughput = median(each.throughput);
            row.p99_us = median(each.p99_us);
            row.bytes_per_item = each.bytes_per_item;
            row.errors = each.errors;
            row.throughput_ratio =
                paired_ratio(each.throughput, first.throughput, asked_.test.work.seed);
            if (!each.cpu_us.empty()) {
                row.cpu_us = median(each.cpu_us);
                if (each.cpu_us.size() == first.cpu_us.size() && median(first.cpu_us) > 0) {
                    row.cpu_ratio = paired_ratio(each.cpu_us, first.cpu_us, asked_.test.work.seed);
                }
            }
            found_.compared.push_back(row);
        }
        out_.add(found_.compared);
    }

    const options& asked_;
    report& out_;
    findings found_;
};

}  // namespace

std::vector<result> planned_tests(const options& asked) {
    std::vector<result> tests;
    const auto plan = [&](const std::string& server, load test, const std::string& title) {
        auto& made = tests.emplace_back();
        made.title = title;
        made.server = server;
        made.test = std::move(test);
    };
    if (asked.what == mode::compare) {
        for (const auto& each : asked.servers) {
            const auto test = compared_load(asked, each);
            plan(name_in(each), test, title_of("Compare", test));
        }
        return tests;
    }
    const auto server = server_name(asked);
    if (asked.what == mode::suite) {
        const auto first = with(asked, 4, suite_baseline_operations);
        plan(server, first, title_of("Test 1 - Baseline Run", first));
    }
    for (const auto clients : asked.clients) {
        if (asked.what == mode::scale) {
            plan(server, lasting(asked, clients), "Scaling");
        } else if (asked.what == mode::suite) {
            plan(
                server,
                with(asked, clients, suite_scaling_operations),
                "Test 2 - Scaling with Concurrent Clients");
        } else {
            const auto test = with(asked, clients, suite_baseline_operations);
            plan(server, test, title_of("Run", test));
        }
    }
    return tests;
}

findings carry_out(const options& asked, report& out) {
    return job(asked, out).carry_out();
}

}  // namespace butterdb::bench
