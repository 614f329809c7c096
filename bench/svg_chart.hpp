#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace butterdb::bench {

/// Appends texts of all kinds, one behind the other.
template <typename... Parts>
void append(std::string& text, const Parts&... parts) {
    (text.append(std::string_view(parts)), ...);
}

/// `text` as HTML, also within quotes. Control characters become U+FFFD: no page may hold them.
std::string escaped(std::string_view text);

/// The value to at least so many significant digits, thousands grouped: `12,000`, `0.0451`. What is
/// below 10^-9 is 0; an exponent only from 10^15 up; `n/a` when it is not finite.
std::string figure(double value, int digits = 3);

/// A point that is not finite is a gap in its line. On a logarithmic axis what is not above 0
/// stands at the axis' begin.
struct chart_point {
    double x = 0;
    double y = 0;
    std::string tip;  ///< its exact figures
};

/// Told from the others by colour, marker and dashes.
struct chart_series {
    std::string name;
    std::vector<chart_point> points;
};

struct chart_axis {
    std::string label;
    bool is_log = false;
    std::vector<double> ticks{};                    ///< empty: 1, 2, 5 and their tenfolds
    std::string (*text_of)(double tick) = nullptr;  ///< nullptr: `figure`
};

/// Series along two axes. A linear axis begins at 0.
struct chart {
    std::string kind;  ///< its name in the page: `data-chart`
    std::string caption;
    chart_axis x;
    chart_axis y;
    std::vector<chart_series> series{};
    bool one_line = false;  ///< through the points of all series, by x, rather than one of each
};

/// Whether there is anything to draw.
bool has_points(const chart& what);

/// The chart as `<figure>`; its points, which have the class `point`, tell their figures.
std::string to_figure(const chart& what);

struct bar {
    std::string name;
    double value = 0;
    std::string said;      ///< shown beside its name
    bool is_pale = false;  ///< it may as well be as long as the first
};

/// Horizontal bars as `<svg>`, each a `point` too.
std::string to_bars(const std::string& title, const std::vector<bar>& bars);

}  // namespace butterdb::bench
