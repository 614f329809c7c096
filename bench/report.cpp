#include "report.hpp"

#include "text.hpp"
#include <butterdb/base/text.hpp>

#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string_view>
#include <utility>

namespace butterdb::bench {

namespace {

constexpr double bytes_per_mb = 1024 * 1024;

double milliseconds(std::chrono::duration<double> span) {
    return span.count() * 1e3;
}

double microseconds(std::chrono::duration<double> span) {
    return span.count() * 1e6;
}

double hit_percent(const measurement& m) {
    return m.gets == 0 ? 0 : 100 * static_cast<double>(m.hits) / static_cast<double>(m.gets);
}

std::uint64_t errors_of(const measurement& m, std::string_view kind) {
    std::uint64_t sum = 0;
    for (const auto& [name, count] : m.errors) {
        sum += name.starts_with(kind) ? count : 0;
    }
    return sum;
}

std::uint64_t wrong_replies(const measurement& m) {
    return errors_of(m, error_kinds::wrong_value) + errors_of(m, error_kinds::lost_write);
}

const char* name_of(dialect spoken) {
    switch (spoken) {
        case dialect::text:
            return "text";
        case dialect::resp:
            return "resp";
        case dialect::memcache:
            return "memcache";
    }
    return "";
}

std::string latency_text(const result& each, double percent) {
    const auto& m = each.measured;
    if (!each.said.latency_refused.empty()) {
        return "refused";
    }
    if (percent < 100 && !m.latency.knows(percent)) {
        return "n/a";
    }
    return text("%.3f ms", milliseconds(m.latency.percentile(percent)));
}

std::string mean_text(const result& each) {
    return each.said.latency_refused.empty()
               ? text("%.3f ms", milliseconds(each.measured.latency.mean()))
               : "refused";
}

std::string cpu_text(const result& each, const char* form) {
    const auto share = server_share(each.measured);
    return share ? text(form, *share * 100) : "n/a";
}

void print_errors(const measurement& m) {
    for (const auto& [kind, count] : m.errors) {
        std::printf("  Errors:        %s %s\n", grouped(count).c_str(), kind.c_str());
    }
    if (!m.connection_failure.empty()) {
        std::printf("  Lost:          the first connection: %s\n", m.connection_failure.c_str());
    }
}

void print_full(const result& each) {
    const auto& m = each.measured;
    std::printf("  Total Ops:     %s\n", grouped(m.operations).c_str());
    std::printf("  Total Time:    %.3f s\n", m.elapsed.count());
    std::printf("  Throughput:    %.1f ops/s\n", m.throughput());
    std::printf("  Avg Latency:   %s\n", mean_text(each).c_str());
    for (const auto& [name, percent] : std::initializer_list<std::pair<const char*, double>>{
             {"p50 Latency:", 50}, {"p95 Latency:", 95}, {"p99 Latency:", 99}}) {
        std::printf("  %-14s %s\n", name, latency_text(each, percent).c_str());
    }
    for (const auto& [name, percent] : std::initializer_list<std::pair<const char*, double>>{
             {"p99.9:", 99.9}, {"p99.99:", 99.99}, {"p99.999:", 99.999}}) {
        if (m.latency.knows(percent)) {
            std::printf("  %-14s %s\n", name, latency_text(each, percent).c_str());
        }
    }
    std::printf("  Max Latency:   %s\n", latency_text(each, 100).c_str());
    std::printf("  Hit Ratio:     %.1f%% of GETs\n", hit_percent(m));
    std::printf(
        "  CPU Usage:     %s\n",
        m.server ? cpu_text(each, "%.2f%%").c_str() : "n/a (not on this machine)");
    if (const auto cpu = m.cpu_per_operation()) {
        std::printf(
            "  CPU per Op:    %.3f us, %.0f%% of it in the kernel\n",
            *cpu * 1e6,
            m.server->cpu.count() > 0 ? std::min(100.0, 100 * (m.server->system / m.server->cpu))
                                      : 0);
    }
    if (m.server) {
        std::printf(
            "  Memory:        %.2f MB\n",
            static_cast<double>(m.server->resident_bytes) / bytes_per_mb);
    }
    std::printf(
        "  Bottleneck:    %s (this tool used %.0f%% of a processor)\n",
        bench::name_of(each.said.limit),
        m.client_cpu * 100);
    std::printf("  Wrong Replies: %" PRIu64 "\n", wrong_replies(m));
}

void print_line(const result& each) {
    const auto& m = each.measured;
    std::printf(
        "  %2zu clients -> %.1f ops/s, %s avg, p50 %s, p99 %s, max %s, CPU %s, hits %.1f%%",
        each.test.clients,
        m.throughput(),
        mean_text(each).c_str(),
        latency_text(each, 50).c_str(),
        latency_text(each, 99).c_str(),
        latency_text(each, 100).c_str(),
        cpu_text(each, "%.1f%%").c_str(),
        hit_percent(m));
    const auto wrong = wrong_replies(m);
    std::printf(wrong == 0 ? "\n" : ", %" PRIu64 " wrong replies\n", wrong);
}

std::string number(double value) {
    return text("%.6g", value);
}

void print_json(const std::vector<field>& fields, bool first) {
    const char* separator = first ? "  {" : ",\n  {";
    for (const auto& each : fields) {
        const char* const quote = each.is_text && each.value != "null" ? "\"" : "";
        std::string value;
        for (const char c : each.value) {
            value += c == '"' || c == '\\' ? std::string{'\\', c} : std::string(1, c);
        }
        std::printf("%s\"%s\": %s%s%s", separator, each.name, quote, value.c_str(), quote);
        separator = ", ";
    }
    std::printf("}");
}

// RFC 4180: what has a comma or a quote stands in quotes.
std::string csv_cell(const field& each) {
    if (each.value == "null") {
        return {};
    }
    if (each.value.find_first_of(",\"\n") == each.value.npos) {
        return each.value;
    }
    std::string quoted = "\"";
    for (const char c : each.value) {
        quoted += c == '"' ? "\"\"" : std::string(1, c);
    }
    return quoted + '"';
}

void print_csv(const std::vector<field>& fields, bool first) {
    const auto print_row = [&](auto text_of) {
        const char* separator = "";
        for (const auto& each : fields) {
            std::printf("%s%s", separator, std::string(text_of(each)).c_str());
            separator = ",";
        }
        std::printf("\n");
    };
    if (first) {
        print_row([](const field& each) { return each.name; });
    }
    print_row(csv_cell);
}

std::string mix_text(const workload& work) {
    std::string text;
    for (const auto& kind : work.kinds) {
        text.append(text.empty() ? "" : "; ").append(std::to_string(kind.weight)).append(":");
        text.append(printable(kind.text(), SIZE_MAX));
    }
    return text;
}

std::string choice_text(const key_choice& choice) {
    switch (choice.what) {
        case key_choice::shape::uniform:
            return "uniform";
        case key_choice::shape::zipf:
            return "zipf:" + shown(choice.skew);
        case key_choice::shape::latest:
            return "latest:" + shown(choice.skew);
        case key_choice::shape::sequential:
            return "sequential";
        case key_choice::shape::hot:
            return "hot:" + shown(choice.hot_share) + ":" + shown(choice.hot_weight);
    }
    return "";
}

// As --value-size has it.
std::string sizes_text(const value_sizes& sizes) {
    std::string text;
    for (const auto& range : sizes.ranges) {
        text.append(text.empty() ? "" : ",").append(std::to_string(range.least));
        if (range.most != range.least) {
            text.append("-").append(std::to_string(range.most));
        }
        if (range.weight != 1) {
            text.append(":").append(std::to_string(range.weight));
        }
    }
    return text;
}

const char* arrivals_text(arrivals spaced) {
    return spaced == arrivals::even ? "even" : "poisson";
}

std::string ratio_text(const ratio& each) {
    return text(
        "%.3f (%.3f to %.3f)%s",
        each.middle,
        each.low,
        each.high,
        each.from_few     ? ", too few rounds to tell"
        : each.is_noise() ? ", noise"
                          : "");
}

}  // namespace

std::vector<field> load_fields_of(const load& test) {
    const auto& work = test.work;
    return {
        {"mix", mix_text(work), true},
        {"keys", std::to_string(work.keys)},
        {"keys_by", choice_text(work.choice), true},
        {"key_size", std::to_string(work.key_bytes)},
        {"value_size", sizes_text(work.sizes), true},
        {"preload", test.preload ? "true" : "false"},
        {"verify", work.verify ? "true" : "false"},
        {"arrivals", !test.open_loop() ? "null" : arrivals_text(test.spaced), true},
        {"poll", test.poll ? "true" : "false"},
    };
}

// The addresses and programs that a user names may hold what JSON escapes; control bytes they may
// not, on a command line that a person types.
std::vector<field> fields_of(const result& each) {
    const auto& m = each.measured;
    const bool trusted = each.said.latency_refused.empty();
    const auto us = [&](double percent) {
        const bool known = trusted && (percent >= 100 || m.latency.knows(percent));
        return known ? number(microseconds(m.latency.percentile(percent))) : "null";
    };
    const auto of_server = [&](auto figure) {
        return m.server && m.operations > 0 ? number(figure(*m.server)) : "null";
    };
    const auto count = [&](std::string_view kind) { return std::to_string(errors_of(m, kind)); };
    std::vector<field> fields{
        {"server", each.server, true},
        {"test", each.title, true},
        {"round", std::to_string(each.round)},
        {"protocol", name_of(each.test.work.spoken), true},
        {"clients", std::to_string(each.test.clients)},
        {"threads", std::to_string(each.test.threads)},
        {"pipeline", std::to_string(each.test.pipeline)},
        {"rate", number(each.test.rate)},
        {"operations", std::to_string(m.operations)},
        {"seconds", number(m.elapsed.count())},
        {"operations_per_second", number(m.throughput())},
        {"latency_us_mean", trusted ? number(microseconds(m.latency.mean())) : "null"},
        {"latency_us_p50", us(50)},
        {"latency_us_p95", us(95)},
        {"latency_us_p99", us(99)},
        {"latency_us_p99_9", us(99.9)},
        {"latency_us_p99_99", us(99.99)},
        {"latency_us_p99_999", us(99.999)},
        {"latency_us_max", us(100)},
        {"latency_refused", trusted ? "null" : each.said.latency_refused, true},
        {"gets", std::to_string(m.gets)},
        {"hits", std::to_string(m.hits)},
        {"wrong_replies", count(error_kinds::wrong_value)},
        {"lost_writes", count(error_kinds::lost_write)},
        {"refusals", count("refused:")},
        {"timeouts", count(error_kinds::timeout)},
        {"connections_lost", count(error_kinds::connection)},
        {"server_cpu_percent",
         of_server([&](const auto& used) { return 100 * (used.cpu / m.elapsed); })},
        {"server_system_percent",
         of_server([&](const auto& used) { return 100 * (used.system / m.elapsed); })},
        {"server_cpu_us_per_operation", of_server([&](const auto& used) {
             return used.cpu.count() * 1e6 / static_cast<double>(m.operations);
         })},
        {"server_resident_bytes", m.server ? std::to_string(m.server->resident_bytes) : "null"},
        {"client_cpu_percent", number(100 * m.client_cpu)},
        {"bottleneck", bench::name_of(each.said.limit), true},
        {"surplus_replies", count(error_kinds::surplus)},
    };
    for (auto& part : load_fields_of(each.test)) {
        fields.push_back(std::move(part));
    }
    return fields;
}

void report::add(const result& each) {
    if (first_ && form_ == format::json) {
        std::printf("[\n");
    }
    switch (form_) {
        case format::text:
            add_text(each);
            break;
        case format::json:
            print_json(fields_of(each), first_);
            break;
        case format::csv:
            print_csv(fields_of(each), first_);
            break;
    }
    first_ = false;
    std::fflush(stdout);
}

void report::add_text(const result& each) {
    if (each.server != last_server_) {
        std::printf("%sButterDB Benchmark Suite - %s\n", first_ ? "" : "\n", each.server.c_str());
        last_server_ = each.server;
        last_title_.clear();
    }
    if (each.title != last_title_ || !as_lines_) {
        std::printf("\n%s\n", each.title.c_str());
        last_title_ = each.title;
    }
    if (as_lines_) {
        print_line(each);
    } else {
        print_full(each);
    }
    print_errors(each.measured);
    if (!each.said.latency_refused.empty()) {
        std::printf("  Latencies refused: %s\n", each.said.latency_refused.c_str());
    }
    for (const auto& warning : each.said.warnings) {
        // The seed's short tests are as they are: a line each is no place for advice.
        if (!as_lines_ || !each.measured.gave_up.empty()) {
            std::printf("  Note: %s\n", warning.c_str());
        }
    }
}

void report::add(const search_step& step) {
    if (form_ == format::text) {
        std::printf(
            "  %12.0f ops/s: %10.3f ms  %s%s\n",
            step.rate,
            milliseconds(step.latency),
            step.holds ? "holds" : "does not hold",
            step.why_not.empty() ? "" : (": " + step.why_not).c_str());
        std::fflush(stdout);
    }
}

// In JSON and CSV standard output has the tests alone.
void report::add(const search_result& found) {
    auto* const to = form_ == format::text ? stdout : stderr;
    if (found.best_rate > 0) {
        std::fprintf(to, "\n%s holds up to %.0f ops/s\n", found.goal.c_str(), found.best_rate);
    } else {
        std::fprintf(to, "\n%s does not hold at any rate that was tried\n", found.goal.c_str());
    }
}

void report::add(const std::vector<comparison_row>& rows) {
    if (form_ != format::text || rows.empty()) {
        return;
    }
    std::printf(
        "\n%-20s %12s %11s %11s %9s   %s\n",
        "server",
        "ops/s",
        "p99",
        "CPU/op",
        "B/item",
        "over the first (95 % interval): ops/s; CPU/op");
    for (const auto& each : rows) {
        const bool is_first = &each == &rows.front();
        std::printf(
            "%-20s %12.0f %8.3f ms %11s %9s   %s\n",
            each.server.c_str(),
            each.throughput,
            each.p99_us / 1e3,
            each.cpu_us ? text("%.3f us", *each.cpu_us).c_str() : "n/a",
            each.bytes_per_item ? text("%.1f", *each.bytes_per_item).c_str() : "n/a",
            is_first ? ""
                     : (ratio_text(each.throughput_ratio) + "; " +
                        (each.cpu_ratio ? ratio_text(*each.cpu_ratio) : "n/a"))
                           .c_str());
        if (each.errors > 0) {
            std::printf("  %s: %" PRIu64 " errors\n", each.server.c_str(), each.errors);
        }
    }
}

void report::end() {
    if (form_ == format::json && !first_) {
        std::printf("\n]\n");
    }
    std::fflush(stdout);
}

}  // namespace butterdb::bench
