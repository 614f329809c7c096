#include "bench/verdict.hpp"

#include "support/catch.hpp"

#include <chrono>

using namespace butterdb::bench;
using namespace std::chrono_literals;

namespace {

measurement measured(double client, double server) {
    measurement m;
    m.elapsed = seconds(1);
    m.operations = 1'000;
    m.client_cpu = client;
    m.server.emplace().cpu = seconds(server);
    return m;
}

}  // namespace

TEST_CASE("the bottleneck is who was busy") {
    const load closed;
    CHECK(judge(closed, measured(0.5, 0.97)).limit == bottleneck::server);
    CHECK(judge(closed, measured(0.97, 0.5)).limit == bottleneck::client);
    CHECK(judge(closed, measured(0.97, 0.97)).limit == bottleneck::both);
    CHECK(judge(closed, measured(0.5, 0.5)).limit == bottleneck::neither);
    CHECK(judge(closed, measured(0.97, 0.5)).warnings.size() == 1);
    CHECK(judge(closed, measured(0.5, 0.97)).warnings.empty());
    auto remote = measured(0.97, 0);
    remote.server.reset();
    CHECK(judge(closed, remote).limit == bottleneck::unknown);
    load polling;
    polling.poll = true;  // is always busy
    CHECK(judge(polling, measured(1, 0.5)).limit == bottleneck::neither);
}

TEST_CASE("latencies that are the tool's own lateness are refused") {
    load open;
    open.rate = 1'000;
    auto m = measured(0.2, 0.2);
    for (int i = 0; i < 1'000; ++i) {
        m.latency.add(1ms);
        m.send_delay.add(100us);
    }
    CHECK(judge(open, m).latency_refused.empty());
    for (int i = 0; i < 20; ++i) {
        m.send_delay.add(900us);
    }
    CHECK_FALSE(judge(open, m).latency_refused.empty());
    load closed;
    CHECK(judge(closed, m).latency_refused.empty());
}

TEST_CASE("latencies are refused when replies cannot be told from surplus ones") {
    measurement m;
    m.errors[error_kinds::surplus] = 1;
    m.gave_up = "why";
    CHECK(judge(load(), m).latency_refused == "why");
    CHECK(m.has_wrong());
}

TEST_CASE("a server that does not keep up is told") {
    load open;
    open.rate = 2'000;
    CHECK(judge(open, measured(0.2, 0.99)).warnings.size() == 1);
    auto given_up = measured(0.2, 0.99);
    given_up.gave_up = "why";
    CHECK(judge(open, given_up).warnings.front() == "the test ended early: why");
}
