#include "support/catch.hpp"
#include "support/failing_resource.hpp"
#include <butterdb/base/limits.hpp>
#include <butterdb/store/store.hpp>

#include <chrono>
#include <random>
#include <string>
#include <unordered_map>

using namespace butterdb;

namespace {

constexpr time_point start{};

time_point at(int milliseconds) {
    return start + std::chrono::milliseconds(milliseconds);
}

std::string value_of(store& db, std::string_view key, time_point now = start) {
    const auto value = db.get(key, now);
    return value ? std::string(*value) : "(absent)";
}

}  // namespace

TEST_CASE("a store keeps what was put last under a key") {
    store db(*std::pmr::new_delete_resource(), MiB, 1);
    CHECK(value_of(db, "a") == "(absent)");
    CHECK(db.put("a", "1", start));
    CHECK(db.put("", "empty key", start));
    CHECK(db.put("a", std::string(1000, 'x'), start));
    CHECK(value_of(db, "a") == std::string(1000, 'x'));
    CHECK(value_of(db, "") == "empty key");
    CHECK(db.size() == 2);
    CHECK(db.erase("a", start));
    CHECK_FALSE(db.erase("a", start));
    CHECK(db.size() == 1);
}

TEST_CASE("keys and values are bytes") {
    store db(*std::pmr::new_delete_resource(), MiB, 1);
    const std::string key("k\0\xff\n", 4);
    CHECK(db.put(key, std::string("\0\0", 2), start));
    CHECK(value_of(db, key) == std::string("\0\0", 2));
    CHECK(value_of(db, "k") == "(absent)");
}

TEST_CASE("an entry is gone once its deadline has come") {
    store db(*std::pmr::new_delete_resource(), MiB, 1);
    CHECK(db.put("a", "1", at(0), at(10)));
    CHECK(value_of(db, "a", at(9)) == "1");
    CHECK(value_of(db, "a", at(10)) == "(absent)");
    CHECK(db.put("b", "1", at(0), at(10)));
    CHECK_FALSE(db.erase("b", at(11)));
    CHECK(db.put("c", "1", at(0), at(10)));
    CHECK(db.put("c", "2", at(5)));
    CHECK(value_of(db, "c", at(99)) == "2");
}

TEST_CASE("a store agrees with a model, and its bytes return to the start") {
    std::mt19937 random(11);
    test::failing_resource memory;
    store db(memory, 64 * MiB, 5);
    const auto bytes_at_start = db.bytes_used();
    std::unordered_map<std::string, std::string> model;
    for (int step = 0; step < 200'000; ++step) {
        const auto key = std::to_string(random() % 2000);
        switch (random() % 4) {
            case 0:
            case 1: {
                const std::string value(random() % 200, static_cast<char>(random() % 256));
                REQUIRE(db.put(key, value, start));
                model[key] = value;
                break;
            }
            case 2:
                REQUIRE(db.erase(key, start) == (model.erase(key) == 1));
                break;
            default:
                REQUIRE(db.get(key, start).has_value() == model.contains(key));
        }
        REQUIRE(db.size() == model.size());
        REQUIRE(db.bytes_used() == memory.bytes_held());
    }
    for (const auto& [key, value] : model) {
        REQUIRE(value_of(db, key) == value);
    }
    for (const auto& [key, value] : model) {
        REQUIRE(db.erase(key, start));
    }
    CHECK(db.bytes_used() == bytes_at_start);
    CHECK(memory.bytes_held() == bytes_at_start);
}

TEST_CASE("an empty store holds nothing, and at its very ceiling it can be cleared") {
    store none(*std::pmr::new_delete_resource(), 0, 1);
    CHECK(none.bytes_used() == 0);
    CHECK_FALSE(none.put("a", "1", start));
    none.clear();
    store db(*std::pmr::new_delete_resource(), 4 * KiB, 1);
    std::size_t size = 4 * KiB;
    while (!db.put("key", std::string(size, 'v'), start)) {
        --size;
    }
    CHECK(db.bytes_used() == db.ceiling());
    db.clear();
    CHECK(db.bytes_used() == 0);
}

TEST_CASE("a smaller value gives memory back") {
    store db(*std::pmr::new_delete_resource(), MiB, 1);
    REQUIRE(db.put("key", std::string(10'000, 'v'), start));
    const auto bytes = db.bytes_used();
    REQUIRE(db.put("key", "v", start));
    CHECK(db.bytes_used() < bytes - 9'000);
}

TEST_CASE("clear leaves nothing behind") {
    store db(*std::pmr::new_delete_resource(), MiB, 1);
    const auto bytes_at_start = db.bytes_used();
    for (int i = 0; i < 1000; ++i) {
        REQUIRE(db.put(std::to_string(i), "value", start));
    }
    db.clear();
    CHECK(db.size() == 0);
    CHECK(db.bytes_used() == bytes_at_start);
    CHECK(db.put("again", "works", start));
}

TEST_CASE("at the ceiling a put is refused and loses nothing") {
    store db(*std::pmr::new_delete_resource(), 256 * KiB, 1);
    int stored = 0;
    while (db.put("key" + std::to_string(stored), std::string(500, 'v'), start)) {
        ++stored;
        REQUIRE(db.bytes_used() <= db.ceiling());
    }
    CHECK(stored > 200);
    CHECK(db.size() == static_cast<std::size_t>(stored));
    const auto bytes = db.bytes_used();
    CHECK_FALSE(db.put("key0", std::string(100'000, 'w'), start));
    CHECK(value_of(db, "key0") == std::string(500, 'v'));
    CHECK(db.bytes_used() == bytes);
    CHECK(db.put("key0", "smaller", start));
    CHECK(value_of(db, "key0") == "smaller");
    for (int i = 1; i < stored; ++i) {
        REQUIRE(value_of(db, "key" + std::to_string(i)) == std::string(500, 'v'));
    }
}

TEST_CASE("whichever allocation fails, a put changes nothing") {
    using mode = test::failing_resource::mode;
    const auto how = GENERATE(mode::once, mode::from_then_on);
    const bool over = GENERATE(false, true);
    test::failing_resource memory;
    store db(memory, 64 * MiB, 1);
    for (int i = 0; i < 13; ++i) {  // the next new key makes the index grow
        REQUIRE(db.put(std::to_string(i), "old", at(0), at(50)));
    }
    const auto key = over ? std::string("3") : std::string(100, 'k');
    for (std::uint64_t number = 1;; ++number) {
        const auto bytes = db.bytes_used();
        memory.fail_at(number, how);
        const bool stored = db.put(key, std::string(200, 'n'), at(1));
        const bool failed = memory.has_failed();
        memory.never_fail();
        REQUIRE(stored != failed);
        if (stored) {
            REQUIRE(number > 1);  // at least one allocation was refused
            break;
        }
        REQUIRE(db.bytes_used() == bytes);
        REQUIRE(db.size() == 13);
        REQUIRE(value_of(db, key, at(1)) == (over ? "old" : "(absent)"));
    }
    CHECK(value_of(db, key, at(99)) == std::string(200, 'n'));
}

TEST_CASE("the budget counts exactly and refuses before it asks") {
    test::failing_resource memory;
    budget_resource budget(memory, 100);
    void* const first = budget.allocate(60);
    CHECK_THROWS_AS(budget.allocate(41), std::bad_alloc);
    CHECK_THROWS_AS(budget.allocate(static_cast<std::size_t>(-1) / 2), std::bad_alloc);
    CHECK(budget.bytes_used() == 60);
    void* const second = budget.allocate(40);
    CHECK(budget.bytes_used() == 100);
    budget.deallocate(first, 60);
    budget.deallocate(second, 40);
    CHECK(budget.bytes_used() == 0);
    CHECK(memory.bytes_held() == 0);
}
