#include "bench/text.hpp"

#include "support/catch.hpp"

using namespace butterdb::bench;

TEST_CASE("numbers are shown as people write them") {
    CHECK(shown(0.4) == "0.4");
    CHECK(shown(0.3) == "0.3");
    CHECK(shown(3) == "3");
    CHECK(shown(0) == "0");
    CHECK(shown(0.1) == "0.1");
    CHECK(shown(999) == "999");
    CHECK(shown(5'000) == "5,000");
    CHECK(shown(1'062.5) == "1,062.5");
    CHECK(shown(1e9) == "1,000,000,000");
    CHECK(grouped(0) == "0");
    CHECK(grouped(40'000) == "40,000");
    CHECK(grouped(18'446'744'073'709'551'615U) == "18,446,744,073,709,551,615");
}
