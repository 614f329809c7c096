#include "support/catch.hpp"
#include <butterdb/base/number.hpp>

#include <string>

using namespace butterdb;

TEST_CASE("decimal numbers are read from end to end") {
    CHECK(parse_decimal("0.5") == 0.5);
    CHECK(parse_decimal("010") == 10.0);
    CHECK(parse_decimal("-3") == -3.0);
    CHECK(parse_decimal("2.5e3") == 2500.0);
}

TEST_CASE("what is no finite decimal number is none") {
    for (const std::string text :
         {"",
          "x",
          "1x",
          " 1",
          "1 ",
          "+1",
          "nan",
          "NAN",
          "-nan",
          "nan(1)",
          "inf",
          "-inf",
          "infinity",
          "0x10",
          "1e999",
          "1,5",
          "--1"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_decimal(text));
    }
}

TEST_CASE("the shortest form of a number has no digits that its binary form makes up") {
    CHECK(format_shortest(0.1) == "0.1");
    CHECK(format_shortest(0.001) == "0.001");
    CHECK(format_shortest(0) == "0");
    CHECK(format_shortest(1e9) == "1000000000");
    CHECK(format_shortest(86'400) == "86400");
    CHECK(format_shortest(-2.5) == "-2.5");
    CHECK(parse_decimal(format_shortest(5e-324)) == 5e-324);
    CHECK(parse_decimal(format_shortest(-1.7976931348623157e308)) == -1.7976931348623157e308);
}

TEST_CASE("steps of reading and printing a number grow with its digits") {
    CHECK(steps_to_parse_float("") == 0);
    CHECK(steps_to_parse_float("3.5") < 100);
    CHECK(steps_to_parse_float("1e300") < 100);
    CHECK(steps_to_parse_float("1e-4900") > 1'000);
    CHECK(steps_to_parse_float("0x1p-16000") > 1'000);
    CHECK(steps_to_parse_float(std::string(4'900, '9')) > 20'000);
    CHECK(steps_to_parse_float(std::string(100'000, '9')) == 0);  // refused unread
    CHECK(steps_to_format_float(0) < 100);
    CHECK(steps_to_format_float(0.001L) < 100);
    CHECK(steps_to_format_float(-12345) < 500);
    CHECK(steps_to_format_float(1e-4900L) > 1'000);
    CHECK(steps_to_format_float(1e1000L) > 50'000);
    CHECK(steps_to_format_float(-1e4900L) > 1'000'000);
}
