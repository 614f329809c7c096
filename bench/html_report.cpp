#include "html_report.hpp"

#include "html_page.hpp"
#include "svg_chart.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <limits>
#include <span>
#include <string_view>
#include <utility>

namespace butterdb::bench {

namespace {

constexpr std::size_t shown_max = 6;  // results in one chart

template <typename... Parts>
std::string joined(const Parts&... parts) {
    std::string text;
    append(text, parts...);
    return text;
}

double milliseconds(std::chrono::nanoseconds span) {
    return static_cast<double>(span.count()) / 1e6;
}

std::string exact_ms(std::chrono::nanoseconds span) {
    return joined(figure(milliseconds(span), 7), " ms");
}

std::string exact_rate(double rate) {
    return joined(figure(rate, 6), " requests/s");
}

std::string cell(std::string_view html, const char* kind = "number") {
    return joined(R"(<td class=")", kind, R"(">)", html, "</td>");
}

std::string row_head(std::string_view text) {
    return joined(R"(<th scope="row">)", escaped(text), "</th>");
}

// The class and the text of a column's head.
using column = std::pair<const char*, const char*>;

std::string table(const char* name, std::span<const column> columns, std::string_view rows) {
    std::string out;
    append(out, R"(<div class="scroll" role="region" tabindex="0" aria-label=")", name);
    append(out, R"("><table><thead><tr>)");
    for (const auto& [kind, head] : columns) {
        append(out, R"(<th scope="col" class=")", kind, R"(">)", head, "</th>");
    }
    append(out, "</tr></thead><tbody>\n", rows, "</tbody></table></div>\n");
    return out;
}

// What tells a result from the others.
std::string name_among(std::span<const result> all, const result& which) {
    std::string name;
    const auto add_unless_same = [&](auto value_of, const std::string& text) {
        const auto is_same = [&](const result& each) { return value_of(each) == value_of(which); };
        if (!std::ranges::all_of(all, is_same)) {
            append(name, name.empty() ? "" : ", ", text);
        }
    };
    const auto clients = std::to_string(which.test.clients);
    add_unless_same([](const result& each) { return each.server; }, which.server);
    add_unless_same([](const result& each) { return each.title; }, which.title);
    add_unless_same([](const result& each) { return each.test.clients; }, clients + " clients");
    add_unless_same(
        [](const result& each) { return each.test.pipeline; },
        "pipeline " + std::to_string(which.test.pipeline));
    add_unless_same(
        [](const result& each) { return each.test.rate; },
        which.test.open_loop() ? exact_rate(which.test.rate) + " asked" : "no rate asked");
    add_unless_same(
        [](const result& each) { return each.round; }, "round " + std::to_string(which.round));
    return name.empty() ? joined(which.server, ", ", which.title) : name;
}

std::span<const result> last_of(const std::vector<result>& all) {
    return std::span(all).last(std::min(all.size(), shown_max));
}

// Series of the last results, one each, so that a result looks the same in all charts; `points_of`
// gives its points.
template <typename PointsOf>
void add_series(chart& drawn, const std::vector<result>& all, PointsOf points_of) {
    const auto shown = last_of(all);
    for (const auto& each : shown) {
        drawn.series.push_back({name_among(shown, each), points_of(each)});
    }
    if (all.size() > shown.size()) {
        append(drawn.caption, " (the last ", std::to_string(shown.size()), " of ");
        append(drawn.caption, std::to_string(all.size()), " results)");
    }
}

chart throughput_chart(const std::vector<result>& all) {
    chart drawn{"throughput", "Throughput over time", {"seconds"}, {"requests/s"}, {}};
    add_series(drawn, all, [](const result& each) {
        std::vector<chart_point> points;
        for (const auto& moment : each.measured.timeline) {
            const auto at = moment.at.count();
            points.push_back(
                {at, moment.throughput, joined(figure(at), " s: ", exact_rate(moment.throughput))});
        }
        return points;
    });
    return drawn;
}

// Of latencies: none of those that are refused.
template <typename PointsOf>
void add_latency_series(chart& drawn, const std::vector<result>& all, PointsOf points_of) {
    add_series(drawn, all, [&](const result& each) {
        return each.said.latency_refused.empty() ? points_of(each) : std::vector<chart_point>{};
    });
    const auto shown = last_of(all);
    for (std::size_t i = 0; i < shown.size(); ++i) {
        drawn.series[i].name += shown[i].said.latency_refused.empty() ? "" : ": refused";
    }
}

chart p99_chart(const std::vector<result>& all) {
    chart drawn{"p99", "p99 latency over time", {"seconds"}, {"ms", true}, {}};
    add_latency_series(drawn, all, [](const result& each) {
        std::vector<chart_point> points;
        for (const auto& moment : each.measured.timeline) {
            // No replies have no latency: a gap, not the best value of all.
            const auto p99 = moment.throughput > 0 ? milliseconds(moment.p99)
                                                   : std::numeric_limits<double>::quiet_NaN();
            const auto at = moment.at.count();
            points.push_back({at, p99, joined(figure(at), " s: ", exact_ms(moment.p99))});
        }
        return points;
    });
    return drawn;
}

std::string percent_text(double inverse) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.10g%%", 100 - 100 / inverse);
    return text.data();
}

std::vector<double> percentile_ticks() {
    std::vector<double> ticks{2};
    for (int nines = 1; nines < 10; ++nines) {
        ticks.push_back(std::pow(10, nines));
    }
    return ticks;
}

chart percentiles_chart(const std::vector<result>& all) {
    chart drawn{
        "percentiles",
        "Latency by percentile",
        {"percent of requests", true, percentile_ticks(), percent_text},
        {"ms", true},
        {}};
    add_latency_series(drawn, all, [](const result& each) {
        std::vector<chart_point> points;
        const auto& latency = each.measured.latency;
        // One request of n is their 1/n: the maximum is not infinitely far out.
        const auto inverse_max = 2 * static_cast<double>(latency.count());
        for (const auto& step : latency.steps()) {
            const auto inverse = std::min(1 / (1 - step.percentile), inverse_max);
            const auto percent = figure(step.percentile * 100, 9);
            points.push_back(
                {inverse, milliseconds(step.value), joined(percent, "%: ", exact_ms(step.value))});
        }
        return points;
    });
    return drawn;
}

chart rate_chart(const search_result& searched) {
    chart drawn{
        "rate",
        "Latency against rate, for " + searched.goal,
        {"requests/s"},
        {"ms", true},
        {{"holds " + searched.goal, {}}, {"does not hold it", {}}},
        true};
    for (const auto& step : searched.steps) {
        auto tip = joined(exact_rate(step.rate), ": ", exact_ms(step.latency));
        append(tip, step.holds ? ", holds" : ", does not hold");
        append(tip, step.why_not.empty() ? "" : ": ", step.why_not);
        const chart_point point{step.rate, milliseconds(step.latency), tip};
        drawn.series[step.holds ? 0 : 1].points.push_back(point);
    }
    return drawn;
}

// A curve for each server, in their order.
chart scaling_chart(const std::vector<result>& all) {
    chart drawn{"scaling", "Throughput against clients", {"clients", true}, {"requests/s"}, {}};
    for (const auto& each : all) {
        auto place = std::ranges::find(drawn.series, each.server, &chart_series::name);
        if (place == drawn.series.end()) {
            place = drawn.series.insert(place, {each.server, {}});
        }
        const auto throughput = each.measured.throughput();
        const auto clients = std::to_string(each.test.clients);
        place->points.push_back(
            {static_cast<double>(each.test.clients),
             throughput,
             joined(clients, " clients: ", exact_rate(throughput))});
    }
    for (auto& series : drawn.series) {
        std::ranges::stable_sort(series.points, {}, &chart_point::x);
    }
    return drawn;
}

std::string ratio_text(const ratio& found) {
    std::array<char, 96> text{};
    const auto* const form = found.is_noise() ? "%.2f× (%.2f–%.2f), noise" : "%.2f× (%.2f–%.2f)";
    std::snprintf(text.data(), text.size(), form, found.middle, found.low, found.high);
    return text.data();
}

std::string comparison_chart(const std::vector<comparison_row>& rows) {
    std::vector<bar> throughput;
    std::vector<bar> cpu;
    for (const auto& row : rows) {
        const bool is_first = &row == &rows.front();
        const auto bar_of = [&](double value, const std::optional<ratio>& over_first) {
            const bool compares = !is_first && over_first;
            auto said = joined(figure(value), compares ? " · " : "");
            append(said, compares ? ratio_text(*over_first) : "");
            return bar{row.server, value, said, compares && over_first->is_noise()};
        };
        throughput.push_back(bar_of(row.throughput, row.throughput_ratio));
        if (row.cpu_us) {
            cpu.push_back(bar_of(*row.cpu_us, row.cpu_ratio));
        }
    }
    auto out = joined(
        R"(<figure class="chart" data-chart="comparison"><figcaption>Beside )",
        escaped(rows.front().server),
        R"(: median, ratio and its 95 % interval</figcaption><div class="bars">)",
        to_bars("Requests/s: longer is better", throughput));
    if (!cpu.empty()) {
        out += to_bars("Server's CPU in µs per request: shorter is better", cpu);
    }
    return out + "</div></figure>\n";
}

constexpr std::array<column, 8> comparison_columns{{
    {"", "Server"},
    {"number", "Requests/s"},
    {"number", "Ratio"},
    {"number", "p99 µs"},
    {"number", "CPU µs per request"},
    {"number", "CPU ratio"},
    {"number", "Bytes per item"},
    {"number", "Errors"},
}};

std::string figure_or_unknown(const std::optional<double>& value) {
    return value ? figure(*value) : "n/a";
}

std::string comparison_table(const std::vector<comparison_row>& rows) {
    std::string html;
    for (const auto& row : rows) {
        const bool is_first = &row == &rows.front();
        const auto cpu_ratio = row.cpu_ratio ? ratio_text(*row.cpu_ratio) : "n/a";
        append(html, "<tr>", row_head(row.server), cell(figure(row.throughput)));
        append(html, cell(is_first ? "1" : ratio_text(row.throughput_ratio)));
        append(html, cell(figure(row.p99_us)), cell(figure_or_unknown(row.cpu_us)));
        append(html, cell(is_first ? "1" : cpu_ratio), cell(figure_or_unknown(row.bytes_per_item)));
        append(html, cell(figure(static_cast<double>(row.errors))), "</tr>\n");
    }
    return table("Comparison", comparison_columns, html);
}

std::string comparison_section(const std::vector<comparison_row>& rows) {
    return joined("<h2>Comparison</h2>\n", comparison_chart(rows), comparison_table(rows));
}

constexpr std::array<column, 3> search_columns{{
    {"number", "Rate asked, requests/s"},
    {"number", "Latency, ms"},
    {"long", "Objective"},
}};

std::string search_section(const search_result& searched) {
    const auto goal = escaped(searched.goal);
    std::string out = "<h2>Search</h2>\n";
    if (searched.best_rate > 0) {
        append(out, "<p>The highest rate that holds ", goal, ": <strong>");
        append(out, exact_rate(searched.best_rate), "</strong>.</p>\n");
    } else {
        append(out, "<p>Not even the least rate holds ", goal, ".</p>\n");
    }
    const auto drawn = rate_chart(searched);
    if (!has_points(drawn)) {
        return out;
    }
    std::string rows;
    for (const auto& step : searched.steps) {
        auto said = joined(step.holds ? "holds" : "does not hold");
        append(said, step.why_not.empty() ? "" : ": ", escaped(step.why_not));
        append(rows, "<tr>", cell(figure(step.rate)), cell(figure(milliseconds(step.latency))));
        append(rows, cell(said, step.holds ? "long" : "long bad"), "</tr>\n");
    }
    append(out, R"(<div class="charts">)", to_figure(drawn));
    append(out, table("Steps of the search", search_columns, rows), "</div>\n");
    return out;
}

constexpr std::array<column, 14> result_columns{{
    {"", "Server"},
    {"long", "Test"},
    {"number", "Clients"},
    {"number", "Pipeline"},
    {"number", "Rate asked"},
    {"number", "Requests/s"},
    {"number", "p50 ms"},
    {"number", "p99 ms"},
    {"number", "p99.9 ms"},
    {"number", "Max ms"},
    {"number", "Errors"},
    {"number", "Server CPU"},
    {"number", "CPU µs per request"},
    {"", "Bottleneck"},
}};

std::string latency_cells(const result& of) {
    if (!of.said.latency_refused.empty()) {
        return joined(
            R"(<td colspan="4" class="long"><strong class="bad">refused</strong>: )",
            escaped(of.said.latency_refused),
            "</td>");
    }
    const auto& latency = of.measured.latency;
    std::string cells;
    for (const double percent : {50.0, 99.0, 99.9}) {
        const auto* const mark = latency.knows(percent) ? "" : "*";
        append(cells, cell(figure(milliseconds(latency.percentile(percent))) + mark));
    }
    return cells + cell(figure(milliseconds(latency.max())));
}

std::string errors_text(const measurement& measured) {
    auto text = figure(static_cast<double>(measured.errors_in_all()));
    for (const auto& [kind, count] : measured.errors) {
        append(text, "<br>", figure(static_cast<double>(count)), " ", escaped(kind));
    }
    return text;
}

std::string result_row(const result& of) {
    const auto& [title, server, round, test, measured, said] = of;
    const auto share = server_share(measured);
    auto cpu = measured.cpu_per_operation();
    if (cpu) {
        *cpu *= 1e6;
    }
    const auto rate = test.open_loop() ? figure(test.rate) : "none";
    const auto in_round = round > 1 ? ", round " + std::to_string(round) : "";
    std::string out = "<tr>";
    append(out, row_head(server), cell(escaped(title) + in_round, "long"));
    append(out, cell(figure(static_cast<double>(test.clients))));
    append(out, cell(figure(static_cast<double>(test.pipeline))), cell(rate));
    append(out, cell(figure(measured.throughput())), latency_cells(of));
    append(out, cell(errors_text(measured)));
    append(out, cell(share ? figure(*share * 100) + " %" : "n/a"), cell(figure_or_unknown(cpu)));
    append(out, cell(name_of(said.limit), ""), "</tr>\n");
    return out;
}

// What is to be said beneath the table.
std::string notes(const std::vector<result>& all) {
    std::string warnings;
    bool has_chance = false;
    for (const auto& each : all) {
        const auto warn = [&](std::string_view text) {
            const auto who = name_among(all, each);
            append(warnings, "<li>", escaped(who), ": ", escaped(text), "</li>\n");
        };
        std::ranges::for_each(each.said.warnings, warn);
        if (!each.measured.connection_failure.empty()) {
            warn("the first connection that was lost: " + each.measured.connection_failure);
        }
        has_chance |= each.said.latency_refused.empty() && !each.measured.latency.knows(99.9);
    }
    std::string out;
    if (has_chance) {
        out += "<p class='note'>* Fewer than ten requests took longer: a matter of chance.</p>\n";
    }
    if (!warnings.empty()) {
        append(out, "<h2>Warnings</h2>\n<ul>\n", warnings, "</ul>\n");
    }
    return out;
}

std::string results_section(const findings& found) {
    std::string rows;
    for (const auto& each : found.results) {
        rows += result_row(each);
    }
    auto out = joined("<h2>Results</h2>\n", table("Results", result_columns, rows));
    out += notes(found.results);
    std::string figures;
    const auto add = [&](const chart& drawn) {
        figures += has_points(drawn) ? to_figure(drawn) : "";
    };
    if (found.is_scaling) {
        add(scaling_chart(found.results));
    }
    add(throughput_chart(found.results));
    add(p99_chart(found.results));
    add(percentiles_chart(found.results));
    if (!figures.empty()) {
        append(out, "<h2>Charts</h2>\n<div class='charts'>\n", figures, "</div>\n");
    }
    return out;
}

}  // namespace

std::string html_report(const findings& found) {
    std::string out = page_begin;
    if (!found.command_line.empty()) {
        append(out, "<pre><code>", escaped(found.command_line), "</code></pre>\n");
    }
    if (!found.compared.empty()) {
        out += comparison_section(found.compared);
    }
    if (found.searched) {
        out += search_section(*found.searched);
    }
    if (!found.results.empty()) {
        out += results_section(found);
    }
    if (found.compared.empty() && !found.searched && found.results.empty()) {
        out += "<p>Nothing was measured.</p>\n";
    }
    return out + "</main>\n</body>\n</html>\n";
}

}  // namespace butterdb::bench
