#include "support/catch.hpp"
#include <butterdb/base/limits.hpp>
#include <butterdb/net/password.hpp>

#include <cstddef>
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

TEST_CASE("password: a digest that differs in one bit is another password", "[password]") {
    const auto right = password::digest_of("open sesame");
    CHECK(password(right).is("open sesame"));
    for (std::size_t byte = 0; byte < right.size(); ++byte) {
        for (unsigned bit = 0; bit < 8; ++bit) {
            CAPTURE(byte, bit);
            auto other = right;
            other.at(byte) = static_cast<unsigned char>(other.at(byte) ^ (1U << bit));
            CHECK_FALSE(password(other).is("open sesame"));
        }
    }
}

TEST_CASE("password: a text too long is not one cut short", "[password]") {
    const std::string longest(limits{}.password_bytes_max, 'x');
    const password secret(longest);
    CHECK(secret.is(longest));
    CHECK_FALSE(secret.is(longest + "x"));
    CHECK_FALSE(secret.is(longest + "xx"));
}
