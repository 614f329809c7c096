#include "support/catch.hpp"
#include <butterdb/base/settings.hpp>

#include <algorithm>
#include <string>

using namespace butterdb;

namespace {

const setting& named(std::string_view name) {
    return *std::ranges::find_if(
        settings(), [&](const setting& each) { return each.name == name; });
}

}  // namespace

TEST_CASE("every setting shows its default in a form that it reads again") {
    const limits defaults;
    for (const auto& each : settings()) {
        CAPTURE(each.name);
        const auto read = each.read(each.show(defaults));
        REQUIRE(read);
        CHECK(*read == each.get(defaults));
        limits changed;
        each.set(changed, each.most);
        CHECK(each.get(changed) == each.most);
        each.set(changed, each.least);
        CHECK(each.get(changed) == each.least);
        CHECK(each.read(std::to_string(each.most)));
        CHECK_FALSE(each.read(std::to_string(each.most + 1)));
    }
}

TEST_CASE("sizes are numbers of bytes, or of units of 1024") {
    const auto& size = named("max-value");
    const auto [text, bytes] = GENERATE(table<std::string, std::uint64_t>({
        {"1024", 1 * KiB},
        {"1048576", 1 * MiB},
        {"64KiB", 64 * KiB},
        {"64kb", 64 * KiB},
        {"64K", 64 * KiB},
        {"64 mib", 64 * MiB},
        {"7000b", 7000},
    }));
    CHECK(*size.read(text) == bytes);
}

TEST_CASE("what is no size, or out of range, is refused with what is allowed") {
    const auto text = GENERATE(
        as<std::string>(),
        "",
        "x",
        "-1",
        "+1",
        " 1",
        "1 ",
        "1.5MiB",
        "1023",
        "1gbx",
        "0",
        "513MiB",
        "1TiB",
        "20000000TiB",
        "18446744073709551616",
        "99999999999999999999",
        "1K1");
    const auto read = named("max-value").read(text);
    REQUIRE_FALSE(read);
    CHECK(read.error().text == "max-value is a size from 1KiB to 512MiB, not '" + text + "'");
}

TEST_CASE("0 is a value of its own where the summary gives it a meaning") {
    const auto& size = named("max-request");
    CHECK(*size.read("0") == 0);
    CHECK(*size.read("64KiB") == 64 * KiB);
    CHECK_FALSE(size.read("1"));
    CHECK(
        size.read("65535").error().text ==
        "max-request is 0 or a size from 64KiB to 4194304TiB, not '65535'");
    CHECK(named("max-client-memory").read("0"));
    CHECK_FALSE(named("max-client-memory").read("1000000"));
}

TEST_CASE("a number that counts has no unit") {
    CHECK(*named("max-clients").read("100") == 100);
    CHECK_FALSE(named("max-clients").read("1K"));
    CHECK_FALSE(named("max-clients").read("0"));
}
