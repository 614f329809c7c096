#include "bench/html_report.hpp"

#include "support/catch.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

using namespace butterdb::bench;
using namespace std::chrono_literals;

namespace {

result sample(const std::string& server, std::size_t clients, int moments) {
    result made;
    made.title = "Mixed";
    made.server = server;
    made.test.clients = clients;
    auto& measured = made.measured;
    measured.operations = 10'000;
    measured.elapsed = seconds(2);
    for (int i = 1; i <= 10'000; ++i) {
        measured.latency.add(i * 1us);
    }
    for (int i = 1; i <= moments; ++i) {
        measured.timeline.push_back({i * seconds(0.25), 5'000, 5ms, 9ms, 10ms, 0});
    }
    return made;
}

std::size_t count(std::string_view text, std::string_view what) {
    std::size_t found = 0;
    for (auto at = text.find(what); at != text.npos; at = text.find(what, at + what.size())) {
        ++found;
    }
    return found;
}

bool has(std::string_view text, std::string_view what) {
    return text.find(what) != text.npos;
}

// Empty when there is no such chart.
std::string chart_of(const std::string& page, const std::string& kind) {
    const auto begin = page.find("<figure class=\"chart\" data-chart=\"" + kind + '"');
    return begin == page.npos ? "" : page.substr(begin, page.find("</figure>", begin) - begin);
}

std::size_t points_of(const std::string& page, const std::string& kind) {
    return count(chart_of(page, kind), R"(class="point")");
}

}  // namespace

TEST_CASE("a report of nothing says so") {
    const auto page = html_report({});
    CHECK(page.starts_with("<!DOCTYPE html>"));
    CHECK(page.ends_with("</html>\n"));
    CHECK(has(page, "Nothing was measured."));
    CHECK(!has(page, "<figure"));
    CHECK(!has(page, "<table"));
}

TEST_CASE("a report needs nothing from elsewhere and runs no script") {
    findings found;
    found.results = {sample("butterdb", 8, 3)};
    const auto page = html_report(found);
    CHECK(!has(page, "<script"));
    CHECK(!has(page, "src="));
    CHECK(!has(page, "http:"));
    CHECK(!has(page, "https:"));
    CHECK(!has(page, "@import"));
    CHECK(!has(page, "url("));
}

TEST_CASE("what people and servers wrote is escaped") {
    const std::string evil = "\"><script>&'";
    findings found;
    found.command_line = evil;
    found.results = {sample(evil, 1, 1), sample(evil, 2, 1)};
    found.is_scaling = true;
    for (auto& each : found.results) {
        each.title = evil;
        each.measured.errors[evil] = 1;
        each.measured.connection_failure = evil;
        each.said.warnings = {evil};
    }
    found.results[0].said.latency_refused = evil;
    found.searched = search_result{evil, 1, {{1, 1ms, false, evil}}};
    found.compared = {{evil, 1, 1, 1.0, {}, {}, ratio{}, 0}};
    const auto page = html_report(found);
    CHECK(!has(page, "<script"));
    CHECK(!has(page, "&'"));
    CHECK(count(page, "&quot;&gt;&lt;script&gt;&amp;&#39;") > 15);
}

TEST_CASE("each moment and each step of the distribution is a point") {
    findings found;
    found.results = {sample("butterdb", 8, 40), sample("redis", 8, 1)};
    const auto page = html_report(found);
    CHECK(points_of(page, "throughput") == 41);
    CHECK(points_of(page, "p99") == 41);
    CHECK(points_of(page, "percentiles") == 2 * found.results[0].measured.latency.steps().size());
    CHECK(has(chart_of(page, "throughput"), "<title>0.25 s: 5,000 requests/s</title>"));
    CHECK(has(chart_of(page, "p99"), "<title>0.25 s: 9 ms</title>"));
    CHECK(has(chart_of(page, "percentiles"), ">50%<"));
    CHECK(has(chart_of(page, "percentiles"), ">99.9%<"));
    CHECK(count(page, "data-chart=\"") == 3);
    CHECK(count(page, "role=\"img\"") == 3);
}

TEST_CASE("a moment without replies is a gap among the latencies") {
    findings found;
    found.results = {sample("butterdb", 8, 5)};
    found.results[0].measured.timeline[2].throughput = 0;
    const auto page = html_report(found);
    CHECK(points_of(page, "throughput") == 5);
    CHECK(points_of(page, "p99") == 4);
}

TEST_CASE("the last six results are drawn, all are in the table") {
    findings found;
    for (std::size_t i = 1; i <= 8; ++i) {
        found.results.push_back(sample("butterdb", i, 2));
    }
    const auto page = html_report(found);
    CHECK(points_of(page, "throughput") == 12);
    CHECK(has(chart_of(page, "throughput"), "the last 6 of 8 results"));
    CHECK(!has(chart_of(page, "throughput"), ">2 clients<"));
    CHECK(has(chart_of(page, "throughput"), ">3 clients<"));
    CHECK(count(page, "<th scope=\"row\">butterdb</th>") == 8);
}

TEST_CASE("a test that measured nothing has a row and no chart") {
    findings found;
    found.results.emplace_back();
    const auto page = html_report(found);
    CHECK(count(page, "<tr>") == 2);
    CHECK(!has(page, "<figure"));
}

TEST_CASE("refused latencies are neither in the table nor drawn") {
    findings found;
    found.results = {sample("butterdb", 8, 4), sample("redis", 8, 4)};
    found.results[1].said.latency_refused = "this tool sent late";
    auto page = html_report(found);
    CHECK(has(page, "refused</strong>: this tool sent late"));
    CHECK(points_of(page, "p99") == 4);
    CHECK(has(chart_of(page, "p99"), ">redis: refused<"));
    CHECK(points_of(page, "throughput") == 8);

    found.results.erase(found.results.begin());
    page = html_report(found);
    CHECK(points_of(page, "throughput") == 4);
    CHECK(chart_of(page, "p99").empty());
    CHECK(chart_of(page, "percentiles").empty());
}

TEST_CASE("percentiles that are a matter of chance are marked") {
    findings found;
    found.results = {sample("butterdb", 8, 1)};  // ten requests lie beyond p99.9
    CHECK(!has(html_report(found), "a matter of chance"));
    found.results[0].measured.latency = {};
    found.results[0].measured.latency.add(1ms);
    CHECK(has(html_report(found), "<td class=\"number\">1*</td>"));
    CHECK(has(html_report(found), "a matter of chance"));
}

TEST_CASE("errors and warnings are told") {
    findings found;
    found.results = {sample("butterdb", 8, 1)};
    found.results[0].measured.errors = {{"refused:OOM", 1'200}, {"wrong", 1}};
    found.results[0].measured.connection_failure = "reset by peer";
    found.results[0].said.warnings = {"the server did not keep up"};
    const auto page = html_report(found);
    CHECK(has(page, "1,201<br>1,200 refused:OOM<br>1 wrong"));
    CHECK(has(page, "the server did not keep up"));
    CHECK(has(page, "reset by peer"));
}

TEST_CASE("steps that hold the objective look other than those that do not") {
    findings found;
    found.searched = search_result{
        "p99<1ms",
        2'000,
        {{1'000, 100us, true, ""}, {2'000, 0ns, true, ""}, {4'000, 3ms, false, ""}}};
    const auto page = html_report(found);
    const auto drawn = chart_of(page, "rate");
    CHECK(points_of(page, "rate") == 3);
    CHECK(has(drawn, ">holds p99&lt;1ms<"));
    CHECK(has(drawn, ">does not hold it<"));
    CHECK(count(drawn.substr(drawn.find("<g class=\"s1")), R"(class="point")") == 1);
    CHECK(has(page, "<strong>2,000 requests/s</strong>"));

    found.searched = search_result{"p99<1ms", 0, {}};
    CHECK(has(html_report(found), "Not even the least rate holds p99&lt;1ms"));
    CHECK(chart_of(html_report(found), "rate").empty());
}

TEST_CASE("scaling is a curve for each server") {
    findings found;
    for (const auto* server : {"butterdb", "redis"}) {
        for (const std::size_t clients : {1U, 2U, 4U}) {
            found.results.push_back(sample(server, clients, 0));
        }
    }
    CHECK(chart_of(html_report(found), "scaling").empty());
    found.is_scaling = true;
    const auto page = html_report(found);
    CHECK(points_of(page, "scaling") == 6);
    CHECK(count(chart_of(page, "scaling"), R"(class="line" d="M0 6H36")") == 2);
    CHECK(has(chart_of(page, "scaling"), "<title>4 clients: 5,000 requests/s</title>"));
}

TEST_CASE("a difference that may be chance is called noise") {
    findings found;
    found.compared = {
        {"butterdb", 180'000, 90, 5.0, 40.0, {}, ratio{}, 0},
        {"redis", 140'000, 120, 7.0, 60.0, {0.78, 0.75, 0.81}, ratio{1.4, 1.3, 1.5}, 0},
        {"valkey", 179'000, 91, std::nullopt, std::nullopt, {0.99, 0.97, 1.02}, std::nullopt, 3}};
    const auto page = html_report(found);
    const auto drawn = chart_of(page, "comparison");
    CHECK(points_of(page, "comparison") == 5);
    CHECK(has(drawn, ">140,000 · 0.78× (0.75–0.81)<"));
    CHECK(has(drawn, ">179,000 · 0.99× (0.97–1.02), noise<"));
    CHECK(has(drawn, ">180,000<"));
    CHECK(has(drawn, ">7 · 1.40× (1.30–1.50)<"));
    CHECK(count(drawn, " pale") == 1);
}
