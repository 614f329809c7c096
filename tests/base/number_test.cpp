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
