#include "verdict.hpp"

#include "text.hpp"

namespace butterdb::bench {

namespace {

// Of the replies that were due, and of the time; below, the server did not keep up.
constexpr double rate_share_min = 0.98;

// Of a latency, from which on it is rather the tool's own lateness.
constexpr double lateness_share_max = 0.5;

bottleneck find_limit(const load& test, const measurement& m) {
    const auto server = server_share(m);
    if (!server) {
        return bottleneck::unknown;
    }
    const bool server_busy = *server >= busy_share;
    const bool client_busy = !test.poll && m.client_cpu >= busy_share;
    if (server_busy) {
        return client_busy ? bottleneck::both : bottleneck::server;
    }
    return client_busy ? bottleneck::client : bottleneck::neither;
}

// Whether what was sent was answered, and not long after the last of it was due.
bool keeps_up(const load& test, const measurement& m) {
    constexpr seconds last_replies{0.1};
    const auto answered = static_cast<double>(m.operations);
    return m.gave_up.empty() && answered >= static_cast<double>(m.due) * rate_share_min &&
           m.elapsed * rate_share_min <= test.duration + last_replies;
}

// A closed loop's latencies are what they are, at full load: the queue is part of them. In an open
// loop a request that the tool sends late looks like a slow server.
std::string refuse_latency(const load& test, const measurement& m) {
    if (m.has_surplus()) {
        return m.gave_up;
    }
    if (!test.open_loop()) {
        return {};
    }
    for (const double percent : {50.0, 99.0}) {
        const auto delay = m.send_delay.percentile(percent);
        const auto latency = m.latency.percentile(percent);
        if (seconds(delay) > seconds(latency) * lateness_share_max) {
            return text(
                "at p%g this tool sent %.3f ms late, of %.3f ms in all: give it %s--threads, or a "
                "lower --rate",
                percent,
                seconds(delay).count() * 1e3,
                seconds(latency).count() * 1e3,
                test.poll ? "more " : "--poll, more ");
        }
    }
    return {};
}

}  // namespace

const char* name_of(bottleneck limit) noexcept {
    switch (limit) {
        case bottleneck::unknown:
            return "unknown";
        case bottleneck::server:
            return "server";
        case bottleneck::client:
            return "client";
        case bottleneck::both:
            return "both";
        case bottleneck::neither:
            return "neither";
    }
    return "";
}

std::optional<double> server_share(const measurement& measured) noexcept {
    if (!measured.server || measured.elapsed.count() <= 0) {
        return std::nullopt;
    }
    return measured.server->cpu / measured.elapsed;
}

verdict judge(const load& test, const measurement& m) {
    verdict said;
    said.limit = find_limit(test, m);
    said.latency_refused = refuse_latency(test, m);
    if (said.limit == bottleneck::client) {
        said.warnings.push_back(text(
            "this tool was the bottleneck (%.0f %% of a processor, the server %.0f %%): the server "
            "can do more; try --threads or --pipeline",
            m.client_cpu * 100,
            *server_share(m) * 100));
    }
    said.kept_up = !test.open_loop() || keeps_up(test, m);
    if (!said.kept_up && m.gave_up.empty()) {
        said.warnings.push_back(text(
            "%.0f of %.0f replies a second came: the server did not keep up",
            m.throughput(),
            static_cast<double>(m.due) / test.duration.count()));
    }
    if (!m.gave_up.empty()) {
        said.warnings.push_back("the test ended early: " + m.gave_up);
    }
    return said;
}

}  // namespace butterdb::bench
