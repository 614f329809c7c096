#include "report.hpp"

#include <cinttypes>
#include <cstdio>

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

// 40000 -> "40,000"
std::string grouped(std::uint64_t number) {
    const auto digits = std::to_string(number);
    std::string text;
    for (std::size_t i = 0; i < digits.size(); ++i) {
        if (i > 0 && (digits.size() - i) % 3 == 0) {
            text += ',';
        }
        text += digits[i];
    }
    return text;
}

// A figure of the server's process, or why there is none.
template <typename Value>
std::string figure(const std::optional<Value>& value, const char* format, double unit) {
    if (!value) {
        return "n/a (not a butterdb on this machine)";
    }
    char text[32];
    std::snprintf(text, sizeof text, format, static_cast<double>(*value) / unit);
    return text;
}

void print_full(const measurement& m) {
    const auto ms = [&](double percent) { return milliseconds(m.latency.percentile(percent)); };
    std::printf("  Total Ops:     %s\n", grouped(m.operations).c_str());
    std::printf("  Total Time:    %.3f s\n", m.elapsed.count());
    std::printf("  Throughput:    %.1f ops/s\n", m.throughput());
    std::printf("  Avg Latency:   %.3f ms\n", milliseconds(m.latency.mean()));
    std::printf("  p50 Latency:   %.3f ms\n", ms(50));
    std::printf("  p95 Latency:   %.3f ms\n", ms(95));
    std::printf("  p99 Latency:   %.3f ms\n", ms(99));
    std::printf("  Max Latency:   %.3f ms\n", milliseconds(m.latency.max()));
    std::printf("  Hit Ratio:     %.1f%% of GETs\n", hit_percent(m));
    std::printf("  CPU Usage:     %s\n", figure(m.cpu_percent, "%.2f%%", 1).c_str());
    std::printf("  Memory:        %s\n", figure(m.resident_bytes, "%.2f MB", bytes_per_mb).c_str());
    std::printf("  Wrong Replies: %" PRIu64 "\n", m.wrong);
}

void print_line(const measurement& m) {
    const auto cpu = m.cpu_percent ? figure(m.cpu_percent, "%.1f%%", 1) : "n/a";
    std::printf(
        "  %2zu clients -> %.1f ops/s, %.3f ms avg, p50 %.3f ms, p99 %.3f ms, max %.3f ms, "
        "CPU %s, hits %.1f%%",
        m.clients,
        m.throughput(),
        milliseconds(m.latency.mean()),
        milliseconds(m.latency.percentile(50)),
        milliseconds(m.latency.percentile(99)),
        milliseconds(m.latency.max()),
        cpu.c_str(),
        hit_percent(m));
    std::printf(m.wrong == 0 ? "\n" : ", %" PRIu64 " wrong replies\n", m.wrong);
}

struct field {
    const char* name;
    std::string value;  // a JSON number or null
};

std::string number(double value) {
    char text[40];
    std::snprintf(text, sizeof text, "%.6g", value);
    return text;
}

// The fields of JSON and CSV, in order.
std::vector<field> fields_of(const load& test, const measurement& m) {
    const auto us = [&](double percent) {
        return number(microseconds(m.latency.percentile(percent)));
    };
    return {
        {"clients", std::to_string(m.clients)},
        {"pipeline", std::to_string(test.pipeline)},
        {"operations", std::to_string(m.operations)},
        {"seconds", number(m.elapsed.count())},
        {"operations_per_second", number(m.throughput())},
        {"latency_us_mean", number(microseconds(m.latency.mean()))},
        {"latency_us_p50", us(50)},
        {"latency_us_p95", us(95)},
        {"latency_us_p99", us(99)},
        {"latency_us_max", number(microseconds(m.latency.max()))},
        {"gets", std::to_string(m.gets)},
        {"hits", std::to_string(m.hits)},
        {"wrong_replies", std::to_string(m.wrong)},
        {"connections_lost", std::to_string(m.connections_lost)},
        {"server_cpu_percent", m.cpu_percent ? number(*m.cpu_percent) : "null"},
        {"server_resident_bytes", m.resident_bytes ? std::to_string(*m.resident_bytes) : "null"},
    };
}

void print_json(const std::vector<field>& fields, bool first) {
    std::printf(first ? "  {" : ",\n  {");
    const char* separator = "";
    for (const auto& each : fields) {
        std::printf("%s\"%s\": %s", separator, each.name, each.value.c_str());
        separator = ", ";
    }
    std::printf("}");
}

void print_csv(const std::vector<field>& fields, bool first) {
    const auto print_row = [&](auto text_of) {
        const char* separator = "";
        for (const auto& each : fields) {
            std::printf("%s%s", separator, text_of(each));
            separator = ",";
        }
        std::printf("\n");
    };
    if (first) {
        print_row([](const field& each) { return each.name; });
    }
    print_row([](const field& each) { return each.value == "null" ? "" : each.value.c_str(); });
}

}  // namespace

void report::add(const planned_test& planned, const measurement& measured) {
    if (first_ && form_ == format::text) {
        std::printf("ButterDB Benchmark Suite - %s\n", server_.c_str());
    } else if (first_ && form_ == format::json) {
        std::printf("[\n");
    }
    switch (form_) {
        case format::text:
            add_text(planned, measured);
            break;
        case format::json:
            print_json(fields_of(planned.test, measured), first_);
            break;
        case format::csv:
            print_csv(fields_of(planned.test, measured), first_);
            break;
    }
    first_ = false;
    std::fflush(stdout);
}

void report::add_text(const planned_test& planned, const measurement& measured) {
    if (planned.title != last_title_) {
        std::printf("\n%s\n", planned.title.c_str());
        last_title_ = planned.title;
    }
    if (planned.shown == planned_test::style::full) {
        print_full(measured);
    } else {
        print_line(measured);
    }
    if (measured.connections_lost > 0) {
        std::printf(
            "  Lost:          %" PRIu64 " connections, the first: %s\n",
            measured.connections_lost,
            measured.connection_failure.c_str());
    }
}

void report::end() {
    if (form_ == format::json && !first_) {
        std::printf("\n]\n");
    }
    std::fflush(stdout);
}

}  // namespace butterdb::bench
