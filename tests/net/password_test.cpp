#include "support/catch.hpp"
#include <butterdb/base/limits.hpp>
#include <butterdb/net/password.hpp>

#include <string>

using namespace butterdb;

TEST_CASE("password: itself, and nothing else", "[password]") {
    const password secret("open sesame");
    CHECK(secret.is("open sesame"));
    CHECK_FALSE(secret.is(""));
    CHECK_FALSE(secret.is("open sesam"));
    CHECK_FALSE(secret.is("open sesame "));
    CHECK_FALSE(secret.is("Open sesame"));
    CHECK_FALSE(secret.is(std::string("open sesame\0", 12)));
}

// Of so many, some have digests that begin or end as the password's does.
TEST_CASE("password: the whole digest decides", "[password]") {
    const password secret("open sesame");
    unsigned accepted = 0;
    for (unsigned i = 0; i < 200'000; ++i) {
        accepted += secret.is(std::to_string(i)) ? 1U : 0U;
    }
    CHECK(accepted == 0);
}

TEST_CASE("password: a text too long is not one cut short", "[password]") {
    const std::string longest(limits{}.password_bytes_max, 'x');
    const password secret(longest);
    CHECK(secret.is(longest));
    CHECK_FALSE(secret.is(longest + "x"));
    CHECK_FALSE(secret.is(longest + "xx"));
}
