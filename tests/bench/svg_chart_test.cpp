#include "bench/svg_chart.hpp"

#include "support/catch.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <string_view>
#include <tuple>

using namespace butterdb::bench;

namespace {

bool has(std::string_view text, std::string_view what) {
    return text.find(what) != text.npos;
}

}  // namespace

TEST_CASE("figures are grouped and have as many digits as they need") {
    const auto [value, shown] = GENERATE(table<double, std::string>(
        {{0, "0"},
         {-0.0, "0"},
         {0.04514, "0.0451"},
         {0.5, "0.5"},
         {9.999, "10"},
         {45.14, "45.1"},
         {999.4, "999"},
         {12'000, "12,000"},
         {1'234'567.8, "1,234,568"},
         {-123'456, "-123,456"},
         {1e-300, "0"},
         {1e18, "1e+18"},
         {std::nan(""), "n/a"},
         {-std::numeric_limits<double>::infinity(), "n/a"}}));
    CHECK(figure(value) == shown);
}

TEST_CASE("more digits are shown when they are asked for") {
    CHECK(figure(0.045123, 7) == "0.045123");
    CHECK(figure(1'234.5678, 6) == "1,234.57");
}

TEST_CASE("escaped text is neither markup nor the end of an attribute") {
    CHECK(escaped(R"(<a b="c" d='&'>)") == "&lt;a b=&quot;c&quot; d=&#39;&amp;&#39;&gt;");
    CHECK(escaped(std::string_view("a\0\x1b\x7f\n\tµ", 8)) == "a���\n\tµ");
}

TEST_CASE("ticks are nice numbers") {
    chart drawn{"x", "X", {"clients", true}, {"requests/s"}, {}};
    drawn.series = {{"a", {{1, 0, ""}, {64, 187'000, ""}}}};
    const auto page = to_figure(drawn);
    for (const auto* tick : {">1<", ">2<", ">5<", ">10<", ">20<", ">50<", ">100<"}) {
        CHECK(has(page, tick));
    }
    for (const auto* tick : {">0<", ">50,000<", ">100,000<", ">150,000<", ">200,000<"}) {
        CHECK(has(page, tick));
    }
}

TEST_CASE("a chart stands values that no axis can show") {
    const auto value =
        GENERATE(0.0, -1.0, 1e-320, 1e308, std::nan(""), std::numeric_limits<double>::infinity());
    const bool is_log = GENERATE(false, true);
    chart drawn{"x", "X", {"x", is_log}, {"y", is_log}, {}};
    drawn.series = {{"a", {{value, value, ""}}}};
    CAPTURE(value, is_log);
    CHECK(has_points(drawn) == std::isfinite(value));
    const auto page = to_figure(drawn);
    CHECK(!has(page, "nan"));
    CHECK(!has(page, "inf"));
    CHECK(has(page, R"(class="point")") == std::isfinite(value));
}

TEST_CASE("a point that is not finite is a gap in its line") {
    chart drawn{"x", "X", {"x"}, {"y"}, {}};
    drawn.series = {{"a", {{0, 1, ""}, {1, std::nan(""), ""}, {2, 1, ""}, {3, 1, ""}}}};
    const auto page = to_figure(drawn);
    const auto begin = page.find(R"(class="line" d=")");
    REQUIRE(begin != page.npos);
    const auto line = page.substr(begin, page.find("\"/>", begin) - begin);
    CHECK(std::ranges::count(line, 'M') == 2);
    CHECK(std::ranges::count(line, 'L') == 1);
}

TEST_CASE("bars tell their figures, and long names are cut between letters") {
    const std::string name = "µµµµµµµµµµµµµµµµµµµµµµµµ";
    const auto page =
        to_bars("Requests/s", {{name, 5, "5", false}, {"b", std::nan(""), "?", true}});
    CHECK(has(page, ">µµµµµµµµµµµµµµµµµµ…<"));
    CHECK(has(page, "<title>" + name + ": 5</title>"));
    CHECK(has(page, "width=\"520.0\""));
    CHECK(has(page, "width=\"1.0\""));
}
