#include "bench/baseline.hpp"

#include "bench/report.hpp"
#include "support/catch.hpp"

#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

using namespace butterdb::bench;
using namespace std::chrono_literals;

namespace {

// A file that goes with this object.
class file {
public:
    explicit file(const std::string& text) { std::ofstream(path_) << text; }
    file(const file&) = delete;
    file& operator=(const file&) = delete;
    ~file() { std::filesystem::remove(path_); }

    const std::string& path() const noexcept { return path_; }

private:
    std::string path_ = std::filesystem::temp_directory_path() /
                        ("butterdb-baseline-" + std::to_string(::getpid()) + ".csv");
};

result measured(double rate, double p99_ms = 1) {
    result made;
    made.title = "Run (8 clients x 1 s)";
    made.server = "localhost:9090";
    made.test.duration = 1s;
    auto& m = made.measured;
    m.operations = static_cast<std::uint64_t>(rate);
    m.elapsed = 1s;
    m.server.emplace().cpu = 500ms;
    for (int i = 0; i < 2'000; ++i) {
        m.latency.add(std::chrono::duration_cast<std::chrono::nanoseconds>(p99_ms * 1ms));
    }
    return made;
}

std::string csv(const std::vector<result>& results) {
    std::string names;
    std::string rows;
    for (const auto& each : results) {
        names.clear();
        std::string cells;
        for (const auto& part : fields_of(each)) {
            names.append(names.empty() ? "" : ",").append(part.name);
            cells.append(cells.empty() ? "\"" : ",\"");
            cells.append(part.value == "null" ? "" : part.value).append("\"");
        }
        rows.append(cells).append("\n");
    }
    return names + "\n" + rows;
}

std::string fault_of(const auto& act) {
    try {
        act();
    } catch (const std::runtime_error& why) {
        return why.what();
    }
    return {};
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != text.npos;
}

}  // namespace

TEST_CASE("what is worse than the baseline by more than the tolerance is reported") {
    const file before(csv({measured(900), measured(1'000), measured(2'000)}));  // median: 1,000
    const baseline earlier(before.path());
    CHECK(earlier.compare({measured(960)}, 0.05).empty());
    const auto slower = earlier.compare({measured(940)}, 0.05);
    REQUIRE(slower.size() == 2);
    CHECK(contains(slower[0], "operations_per_second is 940, was 1000 (-6.0 %)"));
    CHECK(contains(slower[1], "server_cpu_us_per_operation"));
    auto second_round = measured(1'100);
    second_round.round = 2;
    CHECK(earlier.compare({measured(900), second_round}, 0.05).empty());
}

TEST_CASE("an open loop is compared by its p99, whatever its rate") {
    auto open = measured(1'000, 2);
    open.test.rate = 1'000;
    const file before(csv({open}));
    const baseline earlier(before.path());
    CHECK(earlier.compare({open}, 0.05).empty());
    auto slower = measured(1'000, 3);
    slower.test.rate = 1'000;
    CHECK(earlier.compare({slower}, 0.05).size() == 1);
    slower.said.latency_refused = "why";
    const auto fault = fault_of([&] { earlier.compare({slower}, 0.05); });
    CHECK(contains(fault, "latency_us_p99 is not known"));
}

TEST_CASE("a baseline of another load is refused, and the difference named") {
    const file before(csv({measured(1'000)}));
    const baseline earlier(before.path());
    const auto fault_with = [&](auto change) {
        auto other = measured(1'000);
        change(other.test);
        const auto after = fault_of([&] { earlier.compare({other}, 0.05); });
        CHECK(contains(after, "has no such test: localhost:9090, Run (8 clients x 1 s)"));
        return fault_of([&] { earlier.require(other); });
    };
    CHECK(fault_of([&] { earlier.require(measured(1'000)); }).empty());
    CHECK(contains(
        fault_with([](load& test) { test.work.sizes.ranges[0].most = 20'000; }),
        "its value_size is '16', not '16-20000'"));
    CHECK(contains(
        fault_with([](load& test) { test.work.kinds.pop_back(); }),
        "its mix is '50:PUT; 40:GET; 10:DEL', not '50:PUT; 40:GET'"));
    CHECK(contains(
        fault_with([](load& test) {
            test.work.kinds[0].words = {"SET", "{key}", "x,\n\"y\""};
        }),
        "not '50:SET {key} x,.\"y\"; 40:GET; 10:DEL'"));
    CHECK(contains(fault_with([](load& test) { test.work.keys = 5; }), "its keys is '0'"));
    CHECK(contains(fault_with([](load& test) { test.work.key_bytes = 9; }), "key_size"));
    CHECK(contains(
        fault_with([](load& test) { test.work.choice.what = key_choice::shape::zipf; }),
        "not 'zipf:0.99'"));
    CHECK(contains(fault_with([](load& test) { test.preload = true; }), "preload"));
    CHECK(contains(fault_with([](load& test) { test.work.verify = true; }), "verify"));
    CHECK(contains(fault_with([](load& test) { test.poll = true; }), "poll"));
}

TEST_CASE("a test that the baseline does not have is refused") {
    const file before(csv({measured(1'000)}));
    const baseline earlier(before.path());
    const auto is_refused = [&](auto change) {
        auto other = measured(1'000);
        change(other);
        const bool is_found_before = !fault_of([&] { earlier.require(other); }).empty();
        const auto fault = fault_of([&] { earlier.compare({measured(1'000), other}, 0.05); });
        return is_found_before && !fault.empty();
    };
    CHECK(is_refused([](result& each) { each.title = "Run (9 clients x 1 s)"; }));
    CHECK(is_refused([](result& each) { each.test.clients = 9; }));
    CHECK(is_refused([](result& each) { each.test.rate = 5; }));
    CHECK(is_refused([](result& each) { each.server = "elsewhere:9090"; }));
    CHECK(is_refused([](result& each) { each.test.pipeline = 16; }));
    CHECK(is_refused([](result& each) { each.test.threads = 2; }));
    CHECK(is_refused([](result& each) { each.test.work.spoken = dialect::resp; }));
}

TEST_CASE("the difference that is named is from the test that has most in common") {
    auto spoken = measured(1'000);
    spoken.test.work.spoken = dialect::resp;
    auto piped = measured(1'000);
    piped.test.pipeline = 16;
    const file before(csv({spoken, piped}));
    const baseline earlier(before.path());
    CHECK(contains(
        fault_of([&] { earlier.require(measured(1'000)); }),
        " has no test like localhost:9090, Run (8 clients x 1 s): its pipeline is '16', not '1'"));
    CHECK(fault_of([&] { earlier.require(piped); }).empty());
}

TEST_CASE("a file that is no table of results is refused") {
    const auto fault = [](const std::string& text) {
        const file before(text);
        return fault_of([&] { baseline{before.path()}; });
    };
    CHECK(contains(fault(""), "was not written by --format csv: it has no column server"));
    CHECK(contains(fault("root:x:0:0\n"), "it has no column server"));
    const auto whole = csv({measured(1'000)});
    CHECK(fault(whole).empty());
    CHECK(contains(fault(whole.substr(0, whole.find('\n') + 1)), "has no test"));
    CHECK(contains(fault(whole + "a,b\n"), "line 3: it has 2 cells"));
    for (const std::string number : {"nan", "inf", "0x10", "fast"}) {
        auto text = whole;
        text.replace(text.find("\"1\",\"1000\"") + 4, 6, '"' + number + '"');  // after seconds
        CAPTURE(number);
        CHECK(contains(fault(text), "is no number: '" + number + "'"));
    }
    CHECK(fault_of([] { baseline("/nowhere/at/all"); }) == "cannot read /nowhere/at/all");
}
