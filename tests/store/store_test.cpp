#include "bench/micro/crafted_keys.hpp"
#include "store/model.hpp"
#include "support/catch.hpp"
#include "support/failing_resource.hpp"
#include <butterdb/base/limits.hpp>
#include <butterdb/store/store.hpp>

#include <chrono>
#include <map>
#include <random>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

using namespace butterdb;

namespace {

constexpr time_point start{};

time_point at(int milliseconds) {
    return start + std::chrono::milliseconds(milliseconds);
}

std::string numbered(char letter, int number) {
    return std::string(1, letter).append(std::to_string(number));
}

std::string value_of(store& db, std::string_view key, time_point now = start) {
    const auto value = db.get(key, now);
    return value ? std::string(*value) : "(absent)";
}

// Everything that a walk meets, with how often.
std::map<std::string, int> walk(store& db, std::size_t count = 10) {
    std::map<std::string, int> seen;
    std::uint64_t cursor = 0;
    do {
        cursor = db.scan(
            cursor, count, start, [&](const store::entry& each) { ++seen[std::string(each.key)]; });
    } while (cursor != 0);
    return seen;
}

void sweep_all(store& db, time_point now = start) {
    while (db.sweep(now, 100)) {
    }
}

}  // namespace

TEST_CASE("a store keeps what was put last under a key") {
    store db(*std::pmr::new_delete_resource(), {MiB, 1});
    CHECK(value_of(db, "a") == "(absent)");
    CHECK(db.put("a", "1", start));
    CHECK(db.put("", "empty key", start));
    CHECK(db.put("a", std::string(1000, 'x'), start));
    CHECK(value_of(db, "a") == std::string(1000, 'x'));
    CHECK(value_of(db, "") == "empty key");
    CHECK(db.put("a", "", start));
    CHECK(value_of(db, "a").empty());
    CHECK(db.size() == 2);
    CHECK(db.erase("a", start));
    CHECK_FALSE(db.erase("a", start));
    CHECK(db.size() == 1);
}

TEST_CASE("keys and values are bytes of any size") {
    store db(*std::pmr::new_delete_resource(), {64 * MiB, 1});
    const std::string key("k\0\xff\n", 4);
    CHECK(db.put(key, std::string("\0\0", 2), start));
    CHECK(value_of(db, key) == std::string("\0\0", 2));
    CHECK(value_of(db, "k") == "(absent)");
    for (const std::size_t size :
         {31U, 32U, 127U, 128U, 1024U, 16'383U, 16'384U, 70'000U, 3'000'000U}) {
        const std::string long_key(size % 65'536, 'k');
        const std::string value(size, static_cast<char>(size));
        REQUIRE(db.put(long_key, value, start));
        REQUIRE(value_of(db, long_key) == value);
    }
}

TEST_CASE("an entry is gone once its deadline has come") {
    store db(*std::pmr::new_delete_resource(), {MiB, 1});
    CHECK(db.put("a", "1", at(0), at(10)));
    CHECK(db.expiring() == 1);
    CHECK(db.find("a", at(0))->deadline == at(10));
    CHECK(value_of(db, "a", at(9)) == "1");
    CHECK(value_of(db, "a", at(10)) == "(absent)");
    CHECK(db.expiring() == 0);
    CHECK(db.put("b", "1", at(0), at(10)));
    CHECK_FALSE(db.erase("b", at(11)));
    CHECK(db.put("c", "1", at(0), at(10)));
    CHECK(db.put("c", "2", at(5)));
    CHECK(db.expiring() == 0);
    CHECK(value_of(db, "c", at(99)) == "2");
    CHECK(db.expired() == 2);
}

TEST_CASE("a deadline is set, changed and taken away, and the value stays as it is") {
    const auto size = GENERATE(0U, 5U, 40U, 500U, 1'500U, 5'000U, 16'384U, 20'000U, 3'000'000U);
    store db(*std::pmr::new_delete_resource(), {64 * MiB, 1});
    const auto bytes_at_start = db.bytes_used();
    CHECK_FALSE(db.set_deadline("a", at(10), at(0)));
    for (std::size_t more = 0; more < 40; ++more) {  // whatever room its block has left
        const std::string value(size + more, 'v');
        REQUIRE(db.put("a", value, at(0)));
        for (const auto deadline : {at(10), at(20), no_deadline, no_deadline, at(30)}) {
            REQUIRE(db.set_deadline("a", deadline, at(0)));
            REQUIRE(db.find("a", at(0))->deadline == deadline);
            REQUIRE(db.find("a", at(0))->value == value);
            REQUIRE(db.expiring() == (deadline == no_deadline ? 0 : 1));
        }
        const auto bytes = db.bytes_used();
        REQUIRE(db.set_deadline("a", no_deadline, at(0)));
        REQUIRE(value_of(db, "a", at(99)) == value);
        REQUIRE(db.set_deadline("a", at(40), at(30)));
        REQUIRE(db.bytes_used() == bytes);
    }
    CHECK(value_of(db, "a", at(40)) == "(absent)");
    CHECK_FALSE(db.set_deadline("a", at(50), at(40)));
    CHECK(db.expiring() == 0);
    CHECK(db.expired() == 1);
    CHECK(db.bytes_used() == bytes_at_start);
}

TEST_CASE("a large value is not moved to be given a deadline") {
    test::failing_resource memory;
    store db(memory, {64 * MiB, 1});
    for (std::size_t more = 0; more < 4'200; ++more) {
        REQUIRE(db.put("a", std::string(60'000 + more, 'v'), start));
        const auto* const value = db.get("a", start)->data();
        memory.fail_at(1, test::failing_resource::mode::from_then_on);
        REQUIRE(db.set_deadline("a", at(10), start));
        memory.never_fail();
        REQUIRE(db.get("a", start)->data() == value);
    }
}

TEST_CASE("a sweep frees what is past its deadline, and nothing else") {
    store db(*std::pmr::new_delete_resource(), {64 * MiB, 1});
    const auto bytes_at_start = db.bytes_used();
    for (int i = 0; i < 20'000; ++i) {
        REQUIRE(db.put(std::to_string(i), "value", at(0), i % 2 == 0 ? at(1000) : at(2000)));
    }
    REQUIRE(db.put("stays", "here", at(0)));
    sweep_all(db, at(500));
    CHECK(db.size() == 20'001);
    for (int i = 0; i < 1000; ++i) {
        db.sweep(at(1500), 100);
    }
    CHECK(db.size() == 10'001);
    for (int i = 0; i < 1000; ++i) {
        db.sweep(at(2500), 100);
    }
    CHECK(db.size() == 1);
    CHECK(value_of(db, "stays", at(9999)) == "here");
    CHECK(db.erase("stays", at(9999)));
    CHECK(db.bytes_used() == bytes_at_start);
}

TEST_CASE("under a steady load few entries are past their deadline") {
    store db(*std::pmr::new_delete_resource(), {64 * MiB, 1});
    constexpr int lifetime = 20'000;  // as many entries are alive at a time
    std::size_t worst = 0;
    for (int i = 0; i < 200'000; ++i) {
        REQUIRE(db.put(std::to_string(i), "some value", at(i), at(i + lifetime)));
        if (i > 2 * lifetime) {
            worst = std::max(worst, db.size());
        }
    }
    CHECK(worst < lifetime * 110 / 100);
}

TEST_CASE("few entries are past their deadline once many are, after none was for long") {
    store db(*std::pmr::new_delete_resource(), {64 * MiB, 1});
    constexpr int lifetime = 30'000;
    constexpr int quiet = 4 * lifetime;  // until then each entry is put again just in time
    std::size_t worst = 0;
    for (int i = 0; i < 4 * quiet; ++i) {
        const auto key = std::to_string(i < quiet ? i % lifetime : i);
        REQUIRE(db.put(key, "some value", at(i), at(i + lifetime + 1)));
        worst = std::max(worst, db.size());
        REQUIRE((i >= quiet || db.expired() == 0));
    }
    CHECK(worst < lifetime * 110 / 100);
}

// A step takes some six choices: a million steps together.
TEST_CASE("a store agrees with a model, whatever its hash, and its bytes return to the start") {
    const auto [run, choices_made] = GENERATE(table<test::model_run, std::uint64_t>({
        {{.keys = 30'000}, 1'600'000},
        {{.keys = 30'000, .ceiling = 2 * MiB}, 800'000},
        {{.keys = 30'000, .ceiling = 2 * MiB, .eviction = eviction::clock}, 800'000},
        {{.failing = true}, 600'000},
        {{.eviction = eviction::clock, .failing = true}, 400'000},
        {{.keys = 50}, 400'000},
        {{.hash = test::constant_hash, .keys = 200}, 400'000},
        {{.hash = test::two_bit_hash, .keys = 200}, 400'000},
        {{.hash = test::identity_hash}, 400'000},
    }));
    CAPTURE(run.keys, run.ceiling, run.eviction == eviction::clock, run.failing);
    test::choices choose(11, choices_made);
    test::run_model(run, choose);
}

// 12 runs of 50,000,000 choices, some six for each operation. Minutes; of the preset nightly only.
TEST_CASE("a store agrees with a model in 100,000,000 operations", "[.][nightly]") {
    for (const auto hash : {secret_hash, test::identity_hash, test::two_bit_hash}) {
        for (const auto eviction : {eviction::none, eviction::clock}) {
            for (const bool failing : {false, true}) {
                const auto keys = hash == test::two_bit_hash ? 300U : 60'000U;
                const test::model_run run{hash, keys, 16 * MiB, eviction, failing};
                test::choices choose(keys, 50'000'000);
                test::run_model(run, choose);
            }
        }
    }
}

TEST_CASE("keys that collide without the seed are spread like any others with it") {
    constexpr std::uint64_t count = 100'000;
    const auto longest_chain = [](hash_function hash, std::uint64_t keys) {
        store db(*std::pmr::new_delete_resource(), {256 * MiB, 7, eviction::none, hash});
        bench::crafted_keys key;
        for (std::uint64_t i = 0; i < keys; ++i) {
            REQUIRE(db.put(key(i), "x", start));
        }
        CHECK(db.size() == keys);
        std::size_t most = 0;
        std::uint64_t cursor = 0;
        do {
            std::size_t met = 0;
            cursor = db.scan(cursor, 1, start, [&](const store::entry&) { ++met; });
            most = std::max(most, met);
        } while (cursor != 0);
        return most;
    };
    CHECK(longest_chain(bench::crafted_keys::unseeded_hash, 1'000) > 400);  // they do collide
    CHECK(longest_chain(secret_hash, count) <= 8);
}

TEST_CASE("growth and shrinking in waves lose nothing") {
    store db(*std::pmr::new_delete_resource(), {256 * MiB, 3});
    const auto bytes_at_start = db.bytes_used();
    for (const int count : {300'000, 1000, 50'000}) {
        for (int i = 0; i < count; ++i) {
            REQUIRE(db.put("key" + std::to_string(i), std::to_string(i), start));
        }
        for (int i = 0; i < count; i += 7) {
            REQUIRE(value_of(db, "key" + std::to_string(i)) == std::to_string(i));
        }
        for (int i = 0; i < count; ++i) {
            REQUIRE(db.erase("key" + std::to_string(i), start));
        }
        REQUIRE(db.bytes_used() == bytes_at_start);
    }
}

TEST_CASE("a walk meets every entry that is there throughout, however the store changes") {
    std::mt19937 random(4);
    for (const int others : {0, 5'000, 60'000}) {
        store db(*std::pmr::new_delete_resource(), {256 * MiB, 7});
        for (int i = 0; i < 3000; ++i) {
            REQUIRE(db.put("stays" + std::to_string(i), "x", start));
        }
        if (others == 5'000) {
            for (int i = 0; i < 60'000; ++i) {
                REQUIRE(db.put("other" + std::to_string(i), "x", start));
            }
        }
        std::set<std::string> seen;
        std::uint64_t cursor = 0;
        int next = others == 5'000 ? 0 : 60'000;
        do {
            cursor = db.scan(cursor, 1 + random() % 50, start, [&](const store::entry& each) {
                seen.insert(std::string(each.key));
            });
            for (int i = 0; i < 40; ++i, ++next) {
                const auto key = "other" + std::to_string(next);
                if (others == 5'000) {
                    db.erase(key, start);  // the table shrinks meanwhile
                } else if (others != 0) {
                    REQUIRE(db.put(key, "y", start));  // it grows
                }
            }
        } while (cursor != 0);
        for (int i = 0; i < 3000; ++i) {
            REQUIRE(seen.contains("stays" + std::to_string(i)));
        }
    }
}

TEST_CASE("a table that was hollowed out grows again without long chains") {
    store db(*std::pmr::new_delete_resource(), {256 * MiB, 7});
    for (int i = 0; i < 30'000; ++i) {
        REQUIRE(db.put(numbered('a', i), "x", start));
    }
    std::vector<std::string> doomed;
    std::uint64_t cursor = 0;
    do {
        cursor = db.scan(
            cursor, 10, start, [&](const store::entry& each) { doomed.emplace_back(each.key); });
    } while (cursor != 0 && cursor >> 31 != 31);
    for (const auto& key : doomed) {
        db.erase(key, start);
    }
    for (int i = 0; i < 500'000; ++i) {
        REQUIRE(db.put(numbered('b', i), "x", start));
    }
    std::size_t most = 0;
    do {
        std::size_t met = 0;
        cursor = db.scan(cursor, 1, start, [&](const store::entry&) { ++met; });
        most = std::max(most, met);
    } while (cursor != 0);
    CHECK(most <= 3 * 8);
}

TEST_CASE("a refused put under eviction keeps the old value, and a hot store still takes entries") {
    store db(*std::pmr::new_delete_resource(), {4 * MiB, 1, eviction::clock});
    for (int i = 0; i < 50'000; ++i) {
        REQUIRE(db.put(std::to_string(i), std::string(50, 'v'), start));
    }
    REQUIRE(db.put("mine", "old", start));
    CHECK_FALSE(db.put("mine", std::string(5 * MiB, 'n'), start));
    CHECK(value_of(db, "mine") == "old");
    for (int i = 0; i < 50'000; ++i) {
        db.get(std::to_string(i), start);
    }
    for (int i = 0; i < 10'000; ++i) {
        REQUIRE(db.put("new" + std::to_string(i), std::string(50, 'v'), start));
    }
}

TEST_CASE("an undisturbed walk meets every entry once; a wrong cursor does no harm") {
    store db(*std::pmr::new_delete_resource(), {64 * MiB, 7});
    CHECK(walk(db).empty());
    for (int i = 0; i < 10'000; ++i) {
        REQUIRE(db.put(std::to_string(i), "x", start));
    }
    REQUIRE(db.put("late", "x", start, at(0)));
    const auto seen = walk(db, GENERATE(1U, 10U, 100'000U));
    CHECK(seen.size() == 10'000);
    for (const auto& [key, times] : seen) {
        REQUIRE(times == 1);
    }
    std::mt19937_64 random(1);
    for (int i = 0; i < 10'000; ++i) {
        db.scan(random() >> random() % 64, 5, start, [](const store::entry&) {});
    }
}

TEST_CASE("a random entry may be any of them") {
    store db(*std::pmr::new_delete_resource(), {64 * MiB, 7});
    std::mt19937_64 random(1);
    CHECK_FALSE(db.random_entry(random(), start));
    REQUIRE(db.put("dead", "x", start, at(0)));
    CHECK_FALSE(db.random_entry(random(), start));
    for (int i = 0; i < 500; ++i) {
        REQUIRE(db.put(std::to_string(i), "x", start));
    }
    std::map<std::string, int> seen;
    for (int i = 0; i < 100'000; ++i) {
        ++seen[std::string(db.random_entry(random(), start)->key)];
    }
    CHECK(seen.size() == 500);
    for (const auto& [key, times] : seen) {
        CHECK(times < 200 * 10);  // 200 on average
    }
}

TEST_CASE("clear empties at once and gives the memory back behind it") {
    store db(*std::pmr::new_delete_resource(), {64 * MiB, 1});
    const auto bytes_at_start = db.bytes_used();
    for (int round = 0; round < 3; ++round) {
        for (int i = 0; i < 50'000; ++i) {
            REQUIRE(db.put(std::to_string(i), "value", start, i % 3 == 0 ? at(9) : no_deadline));
        }
        db.clear();
        CHECK(db.size() == 0);
        CHECK(db.expiring() == 0);
        CHECK(value_of(db, "1") == "(absent)");
        REQUIRE(db.put("again", "works", start));
        db.clear();  // before the memory of the last time is free
        CHECK(value_of(db, "again") == "(absent)");
        sweep_all(db);
        CHECK(db.bytes_used() == bytes_at_start);
    }
}

TEST_CASE("after a clear at the ceiling there is room at once") {
    store db(*std::pmr::new_delete_resource(), {4 * MiB, 1});
    std::size_t first = 0;
    while (db.put("key" + std::to_string(first), std::string(100, 'v'), start)) {
        ++first;
    }
    db.clear();
    std::size_t second = 0;
    while (db.put("key" + std::to_string(second), std::string(100, 'v'), start)) {
        ++second;
    }
    CHECK(second >= first * 98 / 100);
}

TEST_CASE("at the ceiling a put is refused and loses nothing, and a smaller one succeeds") {
    const auto size = GENERATE(0U, 5U, 40U, 500U, 5'000U, 60'000U);
    store db(*std::pmr::new_delete_resource(), {8 * MiB, 1});
    const auto bytes_at_start = db.bytes_used();
    std::size_t stored = 0;
    while (db.put("key" + std::to_string(stored), std::string(size, 'v'), start)) {
        ++stored;
        REQUIRE(db.bytes_used() <= db.ceiling());
    }
    CHECK(stored * (size + 40) > 6 * MiB);
    CHECK(db.size() == stored);
    const auto bytes = db.bytes_used();
    CHECK_FALSE(db.put("key0", std::string(9 * MiB, 'w'), start));
    CHECK(value_of(db, "key0") == std::string(size, 'v'));
    CHECK(db.bytes_used() == bytes);
    for (std::size_t smaller = size; smaller-- > 0;) {
        REQUIRE(db.put("key1", std::string(smaller, 's'), start));
        REQUIRE(value_of(db, "key1") == std::string(smaller, 's'));
        smaller -= smaller / 3;
    }
    for (std::size_t i = 2; i < stored; ++i) {
        REQUIRE(value_of(db, "key" + std::to_string(i)) == std::string(size, 'v'));
    }
    for (std::size_t i = 0; i < stored; ++i) {
        REQUIRE(db.erase("key" + std::to_string(i), start));
    }
    CHECK(db.bytes_used() == bytes_at_start);
}

TEST_CASE("at the ceiling a first deadline is refused or has room, and others can be changed") {
    // Blocks of the larger sizes have 8 bytes to spare; of the smaller ones, some are refused.
    const auto [size, all_have_room] = GENERATE(table<std::size_t, bool>(
        {{5, false}, {40, false}, {500, false}, {1'500, true}, {5'000, true}, {60'000, true}}));
    store db(*std::pmr::new_delete_resource(), {8 * MiB, 1});
    const std::string value(size, 'v');
    std::size_t stored = 0;
    while (
        db.put("key" + std::to_string(stored), value, start, stored == 0 ? at(9) : no_deadline)) {
        ++stored;
    }
    const auto bytes = db.bytes_used();
    REQUIRE(db.set_deadline("key0", no_deadline, start));
    REQUIRE(db.set_deadline("key0", at(8), start));
    CHECK(db.bytes_used() == bytes);
    std::size_t set = 1;
    for (std::size_t i = 1; i < stored; ++i) {
        const auto key = "key" + std::to_string(i);
        const bool done = db.set_deadline(key, at(7), start);
        set += done ? 1U : 0U;
        REQUIRE(value_of(db, key) == value);
        REQUIRE(db.find(key, start)->deadline == (done ? at(7) : no_deadline));
        REQUIRE(db.bytes_used() <= db.ceiling());
    }
    CHECK(db.size() == stored);
    CHECK(db.expiring() == set);
    CHECK((set == stored) == all_have_room);
    // What a smaller value left behind it is room for a deadline, too.
    REQUIRE(db.put("key1", value.substr(4), start));
    REQUIRE(db.set_deadline("key1", no_deadline, start));
    REQUIRE(db.put("key2", "", start));
    REQUIRE(db.set_deadline("key2", at(7), start));
    CHECK(value_of(db, "key1") == value.substr(4));
}

TEST_CASE("a first deadline at the ceiling evicts others, never its own entry") {
    store db(*std::pmr::new_delete_resource(), {4 * MiB, 1, eviction::clock});
    for (int i = 0; i < 100'000; ++i) {
        REQUIRE(db.put(numbered('k', i), std::string(50, 'v'), start));
    }
    std::size_t there = 0;
    for (int i = 0; i < 100'000; ++i) {
        const auto key = numbered('k', i);
        if (db.get(key, start)) {
            ++there;
            REQUIRE(db.set_deadline(key, at(10), start));
            REQUIRE(value_of(db, key) == std::string(50, 'v'));
            REQUIRE(db.bytes_used() <= db.ceiling());
        }
    }
    CHECK(there > 10'000);
}

TEST_CASE("entries of any other size fit after all are deleted") {
    const std::vector<std::size_t> sizes{8, 50, 1'000, 12'000, 60'000};
    const auto fill = [](store& db, std::size_t size) {
        std::size_t stored = 0;
        while (db.put(std::to_string(stored), std::string(size, 'v'), start)) {
            ++stored;
        }
        return stored;
    };
    for (const auto before : sizes) {
        store db(*std::pmr::new_delete_resource(), {8 * MiB, 1});
        for (const auto after : sizes) {
            const auto stored = fill(db, before);
            for (std::size_t i = 0; i < stored; ++i) {
                REQUIRE(db.erase(std::to_string(i), start));
            }
            store fresh(*std::pmr::new_delete_resource(), {8 * MiB, 1});
            const auto fit = fill(db, after);
            CHECK(fit >= fill(fresh, after) * 95 / 100);
            for (std::size_t i = 0; i < fit; ++i) {
                REQUIRE(db.erase(std::to_string(i), start));
            }
        }
    }
}

TEST_CASE("half of the entries deleted at random leave room for as much of any other size") {
    constexpr std::size_t before = 40;
    const auto after = GENERATE(8U, 300U, 5'000U, 60'000U);
    const auto key_of = [](std::size_t i) { return "key" + std::to_string(i); };
    store db(*std::pmr::new_delete_resource(), {8 * MiB, 1});
    std::size_t stored = 0;
    while (db.put(key_of(stored), std::string(before, 'v'), start)) {
        ++stored;
    }
    std::mt19937 random(9);
    std::vector<bool> kept(stored, true);
    for (std::size_t deleted = 0; deleted < stored / 2;) {
        const auto i = random() % stored;
        deleted += db.erase(key_of(i), start) ? 1U : 0U;
        kept[i] = false;
    }
    store fresh(*std::pmr::new_delete_resource(), {8 * MiB, 1});
    std::size_t fit = 0;
    std::size_t fit_fresh = 0;
    while (db.put("new" + std::to_string(fit), std::string(after, 'w'), start)) {
        ++fit;
    }
    while (fresh.put("new" + std::to_string(fit_fresh), std::string(after, 'w'), start)) {
        ++fit_fresh;
    }
    CHECK(fit >= fit_fresh * 40 / 100);
    for (std::size_t i = 0; i < stored; ++i) {
        REQUIRE(value_of(db, key_of(i)) == (kept[i] ? std::string(before, 'v') : "(absent)"));
    }
}

TEST_CASE("what random deletions leave half empty is put together by sweeps") {
    store db(*std::pmr::new_delete_resource(), {64 * MiB, 1});
    const auto bytes_at_start = db.bytes_used();
    for (int i = 0; i < 200'000; ++i) {
        REQUIRE(db.put(std::to_string(i), std::string(40, 'v'), start));
    }
    const auto bytes_full = db.bytes_used() - bytes_at_start;
    for (int i = 0; i < 200'000; ++i) {
        if (i % 10 != 0) {
            REQUIRE(db.erase(std::to_string(i), start));
        }
    }
    sweep_all(db);
    CHECK(db.bytes_used() - bytes_at_start < bytes_full * 20 / 100);
    for (int i = 0; i < 200'000; i += 10) {
        REQUIRE(value_of(db, std::to_string(i)) == std::string(40, 'v'));
    }
}

TEST_CASE("whichever allocation fails, a call changes nothing") {
    using mode = test::failing_resource::mode;
    const auto how = GENERATE(mode::once, mode::from_then_on);
    const auto size = GENERATE(10U, 5'000U, 100'000U);
    test::failing_resource memory;
    store db(memory, {64 * MiB, 1});
    std::unordered_map<std::string, std::string> model;
    int failures = 0;
    for (int i = 0; i < 3000; ++i) {
        const auto key = std::to_string(i % 2000);
        const std::string value(size + static_cast<std::size_t>(i) % 50, static_cast<char>(i));
        for (std::uint64_t number = 1;; ++number) {
            const auto bytes = db.bytes_used();
            memory.fail_at(number, how);
            const bool stored = db.put(key, value, at(1), at(99));
            const bool failed = memory.has_failed();
            memory.never_fail();
            if (stored) {
                break;
            }
            REQUIRE(failed);
            ++failures;
            REQUIRE(db.bytes_used() == bytes);
            REQUIRE(value_of(db, key, at(1)) == (model.contains(key) ? model[key] : "(absent)"));
            REQUIRE(number < 10);
        }
        model[key] = value;
        REQUIRE(db.size() == model.size());
        if (i % 100 == 50) {  // deleting needs no memory
            memory.fail_at(1, mode::from_then_on);
            REQUIRE(db.erase(key, at(1)));
            memory.never_fail();
            model.erase(key);
        }
        if (i > 100 && size == 100'000U) {
            break;
        }
    }
    CHECK(failures > 0);
    for (const auto& [key, value] : model) {
        REQUIRE(value_of(db, key, at(1)) == value);
        REQUIRE(db.find(key, at(1))->deadline == at(99));
    }
}

TEST_CASE("without memory for a first deadline, nothing has changed") {
    test::failing_resource memory;
    store db(memory, {64 * MiB, 1});
    std::size_t refused = 0;
    for (int i = 0; i < 1'000; ++i) {
        const auto key = numbered('k', i);
        const std::string value(static_cast<std::size_t>(i) * 7, 'v');
        REQUIRE(db.put(key, value, start));
        const auto bytes = db.bytes_used();
        const auto expiring = db.expiring();
        memory.fail_at(1, test::failing_resource::mode::once);
        if (!db.set_deadline(key, at(9), start)) {
            ++refused;
            REQUIRE(memory.has_failed());
            REQUIRE(db.bytes_used() == bytes);
            REQUIRE(db.expiring() == expiring);
            REQUIRE(value_of(db, key) == value);
            REQUIRE(db.find(key, start)->deadline == no_deadline);
        }
        memory.never_fail();
        REQUIRE(db.set_deadline(key, at(9), start));
        REQUIRE(value_of(db, key) == value);
    }
    CHECK(refused > 10);
}

TEST_CASE("a store that cannot begin says so and leaves nothing") {
    test::failing_resource memory;
    for (std::uint64_t number = 1; number <= 3; ++number) {
        memory.fail_at(number, test::failing_resource::mode::once);
        CHECK_THROWS_AS(store(memory, {64 * MiB, 1}), std::bad_alloc);
        CHECK(memory.bytes_held() == 0);
    }
    CHECK_THROWS_AS(store(memory, {1000, 1}), std::bad_alloc);
    CHECK(memory.bytes_held() == 0);
}

TEST_CASE("with eviction a full store takes new entries and keeps those that are read") {
    store db(*std::pmr::new_delete_resource(), {4 * MiB, 1, eviction::clock});
    for (int i = 0; i < 200'000; ++i) {
        REQUIRE(db.put("key" + std::to_string(i), std::string(50, 'v'), start));
        if (i >= 100) {
            REQUIRE(db.get("key" + std::to_string(i % 100), start).has_value());
        }
        REQUIRE(db.bytes_used() <= db.ceiling());
    }
    CHECK(db.evicted() > 100'000);
    CHECK(db.size() > 20'000);
    CHECK(value_of(db, "key199999") == std::string(50, 'v'));
}

TEST_CASE("each key of a batch is prefetched, and prefetching changes nothing") {
    store db(*std::pmr::new_delete_resource(), {64 * MiB, 1});
    std::vector<std::string> keys;
    for (int i = 0; i < 1000; ++i) {
        keys.push_back(std::to_string(i));
        REQUIRE(db.put(keys.back(), "x", start));
    }
    std::vector<std::string_view> views(keys.begin(), keys.end());
    views.emplace_back("absent");
    db.expect_all(views);
    CHECK(db.prefetched() == 1001);
    db.expect_all({});
    CHECK(db.prefetched() == 1001);
    db.expect("7");
    CHECK(db.prefetched() == 1001);  // until fetch_expected
    db.fetch_expected();
    CHECK(db.prefetched() == 1002);
    CHECK(db.size() == 1000);
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

TEST_CASE("storing and deleting the same again and again drifts by no byte") {
    store db(*std::pmr::new_delete_resource(), {16 * MiB, 1});
    const std::string value(100, 'x');
    REQUIRE(db.put("stays", value, start));
    const auto before = db.bytes_used();
    for (int i = 0; i < 1'000'000; ++i) {
        if (!db.put("k", value, start) || !db.erase("k", start)) {
            FAIL("cycle " << i);
        }
    }
    CHECK(db.bytes_used() == before);
}

TEST_CASE("clear needs no memory, however often it is called") {
    using mode = test::failing_resource::mode;
    test::failing_resource memory;
    {
        store db(memory, {64 * MiB, 1});
        const bool sweeps = GENERATE(false, true);
        for (int round = 0; round < 4; ++round) {
            memory.never_fail();
            for (int i = 0; i < 5'000; ++i) {
                REQUIRE(db.put(numbered('k', i), "value", start));
            }
            memory.fail_at(1, mode::from_then_on);
            db.clear();
            CHECK(db.size() == 0);
            CHECK_FALSE(db.get("k1", start));
            if (sweeps) {
                sweep_all(db);
            }
            CHECK(db.bytes_used() == memory.bytes_held());
        }
        memory.never_fail();
    }
    CHECK(memory.bytes_held() == 0);
}

TEST_CASE("without memory for a split, entries stand in a segment behind, or are refused") {
    test::failing_resource memory;
    store db(memory, {64 * MiB, 1});
    std::size_t refused = 0;
    for (int i = 0; i < 100'000; ++i) {
        memory.fail_at(1, test::failing_resource::mode::once);
        bool stored = db.put(numbered('k', i), "value", start);
        if (!stored) {
            ++refused;
            stored = db.put(numbered('k', i), "value", start);
        }
        REQUIRE(stored);
    }
    CHECK(refused > 0);
    CHECK(walk(db).size() == 100'000);
}

TEST_CASE("under eviction without memory for the index, a neighbour makes room") {
    test::failing_resource memory;
    store db(memory, {64 * MiB, 1, eviction::clock});
    for (int i = 0; i < 1'000; ++i) {
        REQUIRE(db.put(numbered('k', i), "v", start, i % 2 == 0 ? at(1000) : no_deadline));
    }
    memory.fail_at(1, test::failing_resource::mode::from_then_on);
    std::size_t stored = 0;
    for (int i = 0; i < 4'000; ++i) {
        stored += db.put(numbered('n', i), "v", at(i)) ? 1U : 0U;
    }
    memory.never_fail();
    CHECK(stored == 4'000);
    CHECK(db.evicted() > 0);
    CHECK(db.bytes_used() == memory.bytes_held());
}
