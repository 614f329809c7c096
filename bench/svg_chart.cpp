#include "svg_chart.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <iterator>

namespace butterdb::bench {

namespace {

// In units of the drawing, which the page stretches to its width.
constexpr double width = 520;
constexpr double height = 300;
constexpr double top = 32;
constexpr double right = 30;
constexpr double bottom = 54;
constexpr double letter_width = 9.8;  // of the larger letters that narrow screens get
constexpr double bar_row = 46;
constexpr std::size_t bar_name_max = 18;

// What an axis can show.
constexpr double log_min = 1e-9;
constexpr double value_max = 1e15;

constexpr std::array<const char*, 6> markers{
    "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0",
    "m-4.5-2.5l2-2 2.5 2.5 2.5-2.5 2 2-2.5 2.5 2.5 2.5-2 2-2.5-2.5-2.5 2.5-2-2 2.5-2.5z",
    "m-3.7-3.7h7.4v7.4h-7.4z",
    "m-4.8 3.6h9.6l-4.8-8.2z",
    "m0-5.2l5.2 5.2-5.2 5.2-5.2-5.2z",
    "m-4.8-3.6h9.6l-4.8 8.2z"};
constexpr const char* unmarked = "h0";  // seen under the pointer
constexpr std::size_t marked_max = 30;  // in a series of more, most points are bends of its line
constexpr std::size_t marked = 10;

std::string printed(const char* form, int digits, double value) {
    std::array<char, 64> line{};
    std::snprintf(line.data(), line.size(), form, digits, value);
    return line.data();
}

std::string unit(double value) {
    return printed("%.*f", 1, value);
}

// 40000.5 -> 40,000.5
std::string grouped(std::string number) {
    const auto first = static_cast<std::size_t>(number.starts_with('-'));
    for (auto at = std::min(number.find('.'), number.size()); at > first + 3;) {
        at -= 3;
        number.insert(at, 1, ',');
    }
    return number;
}

std::string without_zeros(std::string number) {
    if (number.find('.') != number.npos) {
        number.erase(number.find_last_not_of('0') + 1);
        if (number.ends_with('.')) {
            number.pop_back();
        }
    }
    return number == "-0" ? "0" : number;
}

// The greatest of 1, 2, 5 and their tenfolds that is not above the value; or the least that is not
// below it.
double nice_below(double value) {
    const auto tens = std::pow(10, std::floor(std::log10(value) + 1e-9));
    const auto first = value / tens * (1 + 1e-9);
    return first >= 5 ? 5 * tens : first >= 2 ? 2 * tens : tens;
}

double nice_above(double value) {
    const auto below = nice_below(value);
    if (below >= value * (1 - 1e-9)) {
        return below;
    }
    return nice_below(below * 2.5 * (1 + 1e-9));
}

struct scale {
    bool is_log = false;
    double low = 0;
    double high = 1;
    std::vector<double> ticks;

    // From 0 to 1.
    double share(double value) const {
        const auto bounded = std::clamp(value, low, high);
        return is_log ? std::log(bounded / low) / std::log(high / low)
                      : (bounded - low) / (high - low);
    }
};

std::vector<double> log_ticks(double low, double high) {
    const auto decades = std::log10(high / low);
    const auto step = std::max(1, static_cast<int>(std::ceil(decades / 7)));
    const auto first = static_cast<int>(std::floor(std::log10(low) + 1e-9));
    const auto last = static_cast<int>(std::floor(std::log10(high) + 1e-9));
    std::vector<double> ticks;
    for (auto power = first; power <= last; power += step) {
        for (const auto times : {1.0, 2.0, 5.0}) {
            const auto tick = times * std::pow(10, power);
            const bool fits = tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9);
            if (fits && (times == 1 || decades <= 3)) {
                ticks.push_back(tick);
            }
        }
    }
    return ticks;
}

scale log_scale(const std::vector<double>& values) {
    double least = value_max;
    double most = log_min;
    for (const auto value : values) {
        if (value > 0) {
            least = std::min(least, std::max(value, log_min));
            most = std::max(most, std::min(value, value_max));
        }
    }
    if (least > most) {
        least = most = 1;
    }
    scale made{true, nice_below(least), nice_above(most), {}};
    if (made.high < made.low * 1.5) {
        made.low = nice_below(made.low * 0.6);
        made.high = nice_above(made.high * 1.5);
    }
    made.ticks = log_ticks(made.low, made.high);
    return made;
}

scale linear_scale(const std::vector<double>& values, bool to_tick) {
    double most = 0;
    for (const auto value : values) {
        most = std::max(most, std::min(value, value_max));
    }
    most = most < log_min ? 1 : most;
    const auto step = nice_above(most / 6);
    scale made{false, 0, to_tick ? std::ceil(most / step - 1e-9) * step : most, {}};
    for (int i = 0; i * step <= made.high * (1 + 1e-9); ++i) {
        made.ticks.push_back(i * step);
    }
    return made;
}

bool is_drawn(const chart_point& point) {
    return std::isfinite(point.x) && std::isfinite(point.y);
}

// Whether no line leads to the point.
bool is_alone(const std::vector<chart_point>& points, std::size_t at) {
    return (at == 0 || !is_drawn(points[at - 1])) &&
           (at + 1 == points.size() || !is_drawn(points[at + 1]));
}

std::string tick_text(const chart_axis& axis, double tick) {
    return axis.text_of != nullptr ? axis.text_of(tick) : figure(tick);
}

scale scale_of(const chart& what, const chart_axis& axis, double chart_point::*coordinate) {
    std::vector<double> values;
    for (const auto& series : what.series) {
        for (const auto& point : series.points) {
            if (is_drawn(point)) {
                values.push_back(point.*coordinate);
            }
        }
    }
    auto made = axis.is_log ? log_scale(values) : linear_scale(values, &axis == &what.y);
    if (!axis.ticks.empty()) {
        made.ticks = axis.ticks;
        std::erase_if(made.ticks, [&](double tick) { return tick < made.low || tick > made.high; });
    }
    return made;
}

std::size_t longest(const chart_axis& axis, const std::vector<double>& ticks) {
    std::size_t most = 1;
    for (const auto tick : ticks) {
        most = std::max(most, tick_text(axis, tick).size());
    }
    return most;
}

// Draws one chart.
class plot {
public:
    explicit plot(const chart& what)
        : what_(what),
          x_(scale_of(what, what.x, &chart_point::x)),
          y_(scale_of(what, what.y, &chart_point::y)),
          left_(letter_width * static_cast<double>(longest(what.y, y_.ticks)) + 14) {}

    std::string svg() {
        append(
            out_,
            R"(<svg role="img" viewBox="0 0 520 300"><title>)",
            escaped(what_.caption),
            "</title>");
        draw_y_axis();
        draw_x_axis();
        if (what_.one_line) {
            draw_one_line();
        }
        for (std::size_t i = 0; i < what_.series.size(); ++i) {
            draw(what_.series[i].points, i % markers.size());
        }
        return std::move(out_) + "</svg>";
    }

private:
    double across(double x) const { return left_ + x_.share(x) * (width - left_ - right); }
    double down(double y) const { return height - bottom - y_.share(y) * (height - bottom - top); }

    std::string position(const chart_point& point) const {
        return unit(across(point.x)) + ' ' + unit(down(point.y));
    }

    void draw_text(double x, double y, const char* anchor, std::string_view text) {
        append(out_, R"(<text x=")", unit(x), R"(" y=")", unit(y), R"(" text-anchor=")", anchor);
        append(out_, R"(">)", escaped(text), "</text>");
    }

    template <typename... Parts>
    void draw_grid_line(const Parts&... path) {
        append(out_, R"(<path class="grid" d=")", path..., R"("/>)");
    }

    void draw_y_axis() {
        for (const auto tick : y_.ticks) {
            const auto y = down(tick);
            draw_grid_line("M", unit(left_), " ", unit(y), "H", unit(width - right));
            draw_text(left_ - 8, y + 4.5, "end", tick_text(what_.y, tick));
        }
        draw_text(2, 15, "start", what_.y.label);
    }

    // Leaves out the labels that would run into the last.
    void draw_x_axis() {
        double free_from = 0;
        for (const auto tick : x_.ticks) {
            const auto x = across(tick);
            const auto text = tick_text(what_.x, tick);
            const auto half = letter_width * static_cast<double>(text.size()) / 2;
            draw_grid_line("M", unit(x), " ", unit(top), "V", unit(height - bottom + 4));
            if (x - half >= free_from) {
                draw_text(x, height - bottom + 20, "middle", text);
                free_from = x + half + letter_width;
            }
        }
        draw_text((left_ + width - right) / 2, height - 6, "middle", what_.x.label);
    }

    void draw_line(const std::vector<chart_point>& points) {
        append(out_, R"(<path class="line" d=")");
        bool in_gap = true;
        for (const auto& point : points) {
            if (is_drawn(point)) {
                append(out_, in_gap ? "M" : "L", position(point));
            }
            in_gap = !is_drawn(point);
        }
        append(out_, R"("/>)");
    }

    void draw_one_line() {
        std::vector<chart_point> all;
        for (const auto& series : what_.series) {
            std::ranges::copy_if(series.points, std::back_inserter(all), is_drawn);
        }
        std::ranges::stable_sort(all, {}, &chart_point::x);
        append(out_, R"(<g class="guide">)");
        draw_line(all);
        append(out_, "</g>");
    }

    void draw(const std::vector<chart_point>& points, std::size_t look) {
        const bool is_dense = !what_.one_line && points.size() > marked_max;
        append(out_, R"(<g class="s)", std::to_string(look), is_dense ? R"( dense">)" : R"(">)");
        if (!what_.one_line) {
            draw_line(points);
        }
        const auto every = is_dense ? points.size() / marked : 1;
        const auto first = look * every / markers.size();  // lest markers hide each other
        for (std::size_t i = 0; i < points.size(); ++i) {
            if (is_drawn(points[i])) {
                draw_point(points[i], i % every == first || is_alone(points, i), look);
            }
        }
        append(out_, "</g>");
    }

    void draw_point(const chart_point& point, bool is_marked, std::size_t look) {
        append(out_, R"(<path class="point" d="M)", position(point));
        append(out_, is_marked ? markers[look] : unmarked, R"("><title>)");
        append(out_, escaped(point.tip), "</title></path>");
    }

    const chart& what_;
    scale x_;
    scale y_;
    double left_;
    std::string out_;
};

std::string legend_of(const chart& what) {
    std::string out = R"(<ul class="legend">)";
    for (std::size_t i = 0; i < what.series.size(); ++i) {
        const auto look = i % markers.size();
        append(out, R"(<li><svg class="key s)", std::to_string(look));
        append(out, R"(" viewBox="0 0 36 12" aria-hidden="true">)");
        if (!what.one_line) {
            append(out, R"(<path class="line" d="M0 6H36"/>)");
        }
        append(out, R"(<path class="mark" d="M18 6)", markers[look], R"("/></svg><span>)");
        append(out, escaped(what.series[i].name), "</span></li>");
    }
    return out + "</ul>";
}

// At most `letters`, cut between code points.
std::string shortened(const std::string& text, std::size_t letters) {
    const auto begins = [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; };
    std::size_t seen = 0;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (begins(text[at]) && ++seen > letters) {
            return text.substr(0, at) + "…";
        }
    }
    return text;
}

}  // namespace

std::string escaped(std::string_view text) {
    std::string out;
    for (const auto byte : text) {
        switch (byte) {
            case '&':
                out += "&amp;";
                break;
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '"':
                out += "&quot;";
                break;
            case '\'':
                out += "&#39;";
                break;
            default:
                const bool is_control =
                    static_cast<unsigned char>(byte) < ' ' && byte != '\n' && byte != '\t';
                out += is_control || byte == '\x7f' ? std::string_view("\xEF\xBF\xBD")
                                                    : std::string_view(&byte, 1);
        }
    }
    return out;
}

std::string figure(double value, int digits) {
    if (!std::isfinite(value)) {
        return "n/a";
    }
    const auto size = std::abs(value);
    if (size >= value_max) {
        return printed("%.*g", digits, value);
    }
    if (size < log_min) {
        return "0";
    }
    const auto before_point = static_cast<int>(std::floor(std::log10(size))) + 1;
    const auto decimals = std::clamp(digits - before_point, 0, 9);
    return without_zeros(grouped(printed("%.*f", decimals, value)));
}

bool has_points(const chart& what) {
    return std::ranges::any_of(what.series, [](const chart_series& each) {
        return std::ranges::any_of(each.points, is_drawn);
    });
}

std::string to_figure(const chart& what) {
    std::string out = R"(<figure class="chart" data-chart=")";
    append(out, escaped(what.kind), R"("><figcaption>)", escaped(what.caption), "</figcaption>");
    append(out, plot(what).svg(), legend_of(what), "</figure>\n");
    return out;
}

std::string to_bars(const std::string& title, const std::vector<bar>& bars) {
    double most = 0;
    for (const auto& each : bars) {
        most = std::max(most, std::isfinite(each.value) ? each.value : 0);
    }
    std::string out = R"(<svg role="img" viewBox="0 0 520 )";
    append(out, unit(bar_row * static_cast<double>(bars.size()) + 26), R"("><title>)");
    append(out, escaped(title), R"(</title><text x="0" y="15">)", escaped(title), "</text>");
    double y = 26;
    for (const auto& each : bars) {
        const auto share = each.value > 0 && most > 0 ? std::min(each.value / most, 1.0) : 0;
        append(out, R"(<g class="s0)", each.is_pale ? " pale" : "", R"("><text class="name" y=")");
        append(out, unit(y + 18), R"(">)", escaped(shortened(each.name, bar_name_max)), "</text>");
        append(out, R"(<text class="said" text-anchor="end" x="520" y=")", unit(y + 18), R"(">)");
        append(out, escaped(each.said), R"(</text><rect class="point" y=")", unit(y + 24));
        append(out, R"(" height="13" rx="2" width=")", unit(std::max(share * width, 1.0)));
        append(out, R"("><title>)", escaped(each.name), ": ", escaped(each.said));
        append(out, "</title></rect></g>");
        y += bar_row;
    }
    return out + "</svg>";
}

}  // namespace butterdb::bench
