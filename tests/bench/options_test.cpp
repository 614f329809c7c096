#include "bench/options.hpp"

#include "support/catch.hpp"

#include <CLI/Error.hpp>

#include <string>
#include <utility>
#include <vector>

using namespace butterdb::bench;

namespace {

options read(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "butterdb-bench");
    std::string help;
    return read_options(static_cast<int>(arguments.size()), arguments.data(), help);
}

}  // namespace

TEST_CASE("numbers are decimal, with zeros before them or not") {
    const auto asked =
        read({"--clients",    "010,08", "--threads",     "010",   "--duration",   "010",
              "--pipeline",   "010",    "--rounds",      "010",   "--keys",       "0100",
              "--key-size",   "010",    "--seed",        "010",   "--value-size", "010-0100",
              "--server-cpu", "010",    "--client-cpus", "00,010"});
    CHECK(asked.clients == std::vector<std::size_t>{10, 8});
    CHECK(asked.test.threads == 10);
    CHECK(asked.test.duration.count() == 10);
    CHECK(asked.test.pipeline == 10);
    CHECK(asked.rounds == 10);
    CHECK(asked.test.work.keys == 100);
    CHECK(asked.test.work.key_bytes == 10);
    CHECK(asked.test.work.seed == 10);
    CHECK(asked.test.work.sizes.ranges[0].least == 10);
    CHECK(asked.test.work.sizes.ranges[0].most == 100);
    CHECK(asked.server_cpu == 10);
    CHECK(asked.test.cpus == std::vector<int>{0, 10});
    CHECK(read({"--ops", "010"}).operations == 10);
}

TEST_CASE("what is no decimal number in its range is refused, NaN too") {
    for (const char* const option : {"--duration", "--warm-up", "--tolerance"}) {
        for (const char* const value : {"nan", "-nan", "inf", "0x1", "", "1s", "-1", "1e99"}) {
            CAPTURE(option, value);
            CHECK_THROWS_AS(read({option, value}), CLI::ParseError);
        }
    }
    for (const char* const value : {"nan", "inf", "0x10", "0"}) {
        CAPTURE(value);
        CHECK_THROWS_AS(read({"--duration", "1", "--rate", value}), CLI::ParseError);
        CHECK_THROWS_AS(
            read({"--keys-by", ("zipf:" + std::string(value)).c_str()}), CLI::ParseError);
    }
    for (const char* const option :
         {"--clients",
          "--threads",
          "--ops",
          "--pipeline",
          "--rounds",
          "--keys",
          "--key-size",
          "--seed",
          "--value-size",
          "--server-cpu",
          "--client-cpus"}) {
        for (const char* const value : {"0x10", "-1", "1.5", "", "99999999999999999999"}) {
            CAPTURE(option, value);
            CHECK_THROWS_AS(read({option, value}), CLI::ParseError);
        }
    }
    for (const char* const goal :
         {"p99<nanms", "pnan<1ms", "p0x63<1ms", "pinf<1ms", "max<1001s", "max<1e300s"}) {
        CAPTURE(goal);
        CHECK_THROWS_AS(read({"search", "--slo", goal}), CLI::ParseError);
    }
}

TEST_CASE("lists with an empty part are refused") {
    for (const char* const mix : {"50:40:10:", ":50:50", "50::50"}) {
        CAPTURE(mix);
        CHECK_THROWS_AS(read({"--mix", mix}), CLI::ParseError);
    }
    for (const char* const sizes : {"16,", ",16", "16:", "16-", "-16", "1-2-3", "16:1:1"}) {
        CAPTURE(sizes);
        CHECK_THROWS_AS(read({"--value-size", sizes}), CLI::ParseError);
    }
}

TEST_CASE("a number out of its range is refused with the range as a person writes it") {
    const auto fault = [](std::vector<const char*> arguments) {
        try {
            read(std::move(arguments));
        } catch (const CLI::ParseError& why) {
            return std::string(why.what());
        }
        return std::string();
    };
    CHECK(fault({"--rate", "0.01"}).ends_with("wants a number from 0.1 to 1000000000, not '0.01'"));
    CHECK(fault({"--duration", "0"}).ends_with("wants a number from 0.001 to 86400, not '0'"));
    CHECK(fault({"--tolerance", "2"}).ends_with("wants a number from 0 to 1, not '2'"));
}
