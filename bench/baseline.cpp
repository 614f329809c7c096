#include "baseline.hpp"

#include "report.hpp"
#include "text.hpp"
#include <butterdb/base/number.hpp>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <utility>

namespace butterdb::bench {

namespace {

using row = std::map<std::string, std::string>;

struct figure {
    const char* name;
    bool more_is_better;
};

constexpr figure rate{"operations_per_second", true};
constexpr figure p99{"latency_us_p99", false};
constexpr figure cpu{"server_cpu_us_per_operation", false};

// Columns that tell one test from another, besides those of its load.
constexpr std::array columns_of_test{
    "server", "test", "protocol", "clients", "threads", "pipeline", "rate"};

// Returns the cells of a line of CSV.
std::vector<std::string> cells_of(const std::string& line) {
    std::vector<std::string> cells(1);
    bool quoted = false;
    for (std::size_t i = 0; i < line.size(); ++i) {
        if (line[i] == '"' && quoted && i + 1 < line.size() && line[i + 1] == '"') {
            cells.back() += line[i++];
        } else if (line[i] == '"') {
            quoted = !quoted;
        } else if (line[i] == ',' && !quoted) {
            cells.emplace_back();
        } else if (line[i] != '\r') {
            cells.back() += line[i];
        }
    }
    return cells;
}

std::string cell_of(const field& each) {
    return each.value == "null" ? std::string() : each.value;
}

row row_of(const std::vector<field>& fields) {
    row made;
    for (const auto& each : fields) {
        made[each.name] = cell_of(each);
    }
    return made;
}

bool is_same_test(const row& one, const row& other) {
    static const auto load_fields = load_fields_of(load());
    const auto agree = [&](const char* name) { return one.at(name) == other.at(name); };
    return std::ranges::all_of(columns_of_test, agree) &&
           std::ranges::all_of(load_fields, agree, &field::name);
}

// All columns that are known of a test before it is run, in the order in which a difference is
// named. A title has the clients and the duration, so that it comes last.
std::vector<std::string> columns_known_before() {
    std::vector<std::string> names{"server", "protocol"};
    for (const auto& each : load_fields_of(load())) {
        names.emplace_back(each.name);
    }
    names.insert(names.end(), {"clients", "threads", "pipeline", "rate", "test"});
    return names;
}

std::vector<row> tests_like(const row& wanted, const std::vector<row>& rows) {
    std::vector<row> found;
    std::ranges::copy_if(rows, std::back_inserter(found), [&](const row& each) {
        return is_same_test(each, wanted);
    });
    return found;
}

// The median over the rounds of one test; nothing when the figure is not known.
std::optional<double> median_of(const std::vector<row>& rounds, const char* figure) {
    std::vector<double> values;
    for (const auto& each : rounds) {
        if (const auto value = parse_decimal(each.at(figure))) {
            values.push_back(*value);
        }
    }
    return values.empty() ? std::nullopt : std::optional(median(std::move(values)));
}

// A test that was run now and before.
struct comparison {
    std::string name;
    std::vector<row> now;
    std::vector<row> before;
    double tolerance;

    // Returns whether the figure is known now and before; adds to `worse` if it is worse now.
    bool look_at(const figure& which, regressions& worse) const {
        const auto new_value = median_of(now, which.name);
        const auto old_value = median_of(before, which.name);
        if (!new_value || !old_value || *old_value <= 0) {
            return false;
        }
        const double change = *new_value / *old_value;
        if (which.more_is_better ? change < 1 - tolerance : change > 1 + tolerance) {
            worse.push_back(
                name + ": " + which.name +
                text(" is %.6g, was %.6g (%+.1f %%)", *new_value, *old_value, 100 * (change - 1)));
        }
        return true;
    }
};

}  // namespace

baseline::baseline(const std::string& file) : file_(file) {
    std::ifstream in(file);
    if (!in) {
        throw std::runtime_error("cannot read " + file);
    }
    std::string line;
    std::getline(in, line);
    const auto names = cells_of(line);
    for (const auto& each : fields_of({})) {
        if (std::ranges::find(names, each.name) == names.end()) {
            throw std::runtime_error(
                file + " was not written by --format csv: it has no column " + each.name);
        }
    }
    while (std::getline(in, line)) {
        add(names, cells_of(line));
    }
    if (rows_.empty()) {
        throw std::runtime_error(file + " has no test");
    }
}

void baseline::add(const std::vector<std::string>& names, const std::vector<std::string>& cells) {
    const auto place = file_ + ", line " + std::to_string(rows_.size() + 2) + ": ";
    if (cells.size() != names.size()) {
        throw std::runtime_error(
            place + "it has " + std::to_string(cells.size()) + " cells, the first line has " +
            std::to_string(names.size()));
    }
    row made;
    for (std::size_t i = 0; i < names.size(); ++i) {
        made[names[i]] = cells[i];
    }
    for (const auto& each : {rate, p99, cpu}) {
        if (const auto& cell = made[each.name]; !cell.empty() && !parse_decimal(cell)) {
            auto why = place;
            throw std::runtime_error(
                why.append(each.name).append(" is no number: '").append(cell).append("'"));
        }
    }
    rows_.push_back(std::move(made));
}

void baseline::require(const result& planned) const {
    const auto wanted = row_of(fields_of(planned));
    const auto names = columns_known_before();
    const auto first_difference = [&](const row& each) {
        return std::ranges::find_if(
            names, [&](const std::string& name) { return each.at(name) != wanted.at(name); });
    };
    const auto like_most = [&](const row& one, const row& other) {
        return first_difference(one) < first_difference(other);
    };
    const auto& nearest = *std::ranges::max_element(rows_, like_most);
    const auto difference = first_difference(nearest);
    if (difference != names.end()) {
        throw std::runtime_error(
            file_ + " has no test like " + planned.server + ", " + planned.title + ": its " +
            *difference + " is '" + nearest.at(*difference) + "', not '" + wanted.at(*difference) +
            "'");
    }
}

regressions baseline::compare(const std::vector<result>& results, double tolerance) const {
    std::vector<row> now(results.size());
    std::ranges::transform(
        results, now.begin(), [](const result& each) { return row_of(fields_of(each)); });
    regressions worse;
    for (std::size_t i = 0; i < results.size(); ++i) {
        const auto& each = results[i];
        if (each.round > 1) {
            continue;  // it is in the medians
        }
        const comparison test{
            each.server + ", " + each.title,
            tests_like(now[i], now),
            tests_like(now[i], rows_),
            tolerance};
        if (test.before.empty()) {
            throw std::runtime_error(file_ + " has no such test: " + test.name);
        }
        const auto& main_figure = each.test.open_loop() ? p99 : rate;
        if (!test.look_at(main_figure, worse)) {
            throw std::runtime_error(
                test.name + ": " + main_figure.name + " is not known, here or in " + file_);
        }
        test.look_at(cpu, worse);
    }
    return worse;
}

}  // namespace butterdb::bench
