#include "page_resource.hpp"
#include "support/catch.hpp"
#include <butterdb/base/limits.hpp>
#include <butterdb/store/store.hpp>

#include <algorithm>
#include <cmath>
#include <list>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

using namespace butterdb;

namespace {

constexpr time_point start{};

// Ranks with probability proportional to 1 / rank^0.99.
class zipf {
public:
    explicit zipf(std::size_t count) : sums_(count) {
        double sum = 0;
        for (std::size_t i = 0; i < count; ++i) {
            sum += 1 / std::pow(static_cast<double>(i + 1), 0.99);
            sums_[i] = sum;
        }
    }

    template <typename Random>
    std::size_t operator()(Random& random) const {
        const auto dice = std::uniform_real_distribution<>(0, sums_.back())(random);
        return static_cast<std::size_t>(std::ranges::lower_bound(sums_, dice) - sums_.begin());
    }

private:
    std::vector<double> sums_;
};

// Exact LRU of so many keys.
class lru {
public:
    explicit lru(std::size_t capacity) : capacity_(capacity) {}

    // True when the key was there; it is afterwards.
    bool touch(std::size_t key) {
        const auto at = places_.find(key);
        if (at != places_.end()) {
            order_.splice(order_.begin(), order_, at->second);
            return true;
        }
        order_.push_front(key);
        places_[key] = order_.begin();
        if (order_.size() > capacity_) {
            places_.erase(order_.back());
            order_.pop_back();
        }
        return false;
    }

private:
    std::size_t capacity_;
    std::list<std::size_t> order_;
    std::unordered_map<std::size_t, std::list<std::size_t>::iterator> places_;
};

}  // namespace

TEST_CASE("clock eviction hits nearly as often as exact LRU on a Zipf trace") {
    constexpr std::size_t keys = 300'000;  // about 21 MiB with their index
    constexpr int warm_up = 300'000;
    constexpr int measured = 700'000;
    const zipf trace(keys);
    store db(*std::pmr::new_delete_resource(), {2 * MiB, 1, eviction::clock});
    const std::string value(40, 'v');
    std::mt19937_64 random(2);
    int hits = 0;
    std::size_t entries = 0;
    for (int i = 0; i < warm_up + measured; ++i) {
        const auto key = "key" + std::to_string(trace(random));
        const bool hit = db.get(key, start).has_value();
        hits += hit && i >= warm_up ? 1 : 0;
        if (!hit) {
            REQUIRE(db.put(key, value, start));
        }
        entries = std::max(entries, i >= warm_up ? db.size() : 0);
    }
    lru exact(entries);  // with as many entries as the store ever had
    random.seed(2);
    int exact_hits = 0;
    for (int i = 0; i < warm_up + measured; ++i) {
        const bool hit = exact.touch(trace(random));
        exact_hits += hit && i >= warm_up ? 1 : 0;
    }
    const double ratio = 100.0 * hits / measured;
    const double exact_ratio = 100.0 * exact_hits / measured;
    INFO(
        "hit ratio " << ratio << " %, exact LRU " << exact_ratio << " %, " << entries
                     << " entries");
    CHECK(ratio >= exact_ratio - 3);
}

TEST_CASE("eviction of entries of all sizes stays below the ceiling and loses only entries") {
    page_resource pages;
    {
        store db(pages, {8 * MiB, 1, eviction::clock});
        std::mt19937_64 random(5);
        std::size_t refused = 0;
        for (int i = 0; i < 100'000; ++i) {
            const auto key = std::to_string(random() % 20'000);
            const std::string value(random() % (random() % 4 == 0 ? 5'000 : 200), key.back());
            const auto deadline =
                random() % 3 == 0 ? start + std::chrono::milliseconds(i + 500) : no_deadline;
            const auto now = start + std::chrono::milliseconds(i);
            refused += db.put(key, value, now, deadline) ? 0U : 1U;
            const auto other = std::to_string(random() % 20'000);
            const auto found = db.get(other, now);
            const bool right = !found || found->find_first_not_of(other.back()) == found->npos;
            REQUIRE(right);
            REQUIRE(db.bytes_used() <= db.ceiling());
        }
        CHECK(db.evicted() > 1000);
        CHECK(refused == 0);
    }
    CHECK(pages.bytes_mapped() == 0);
}

TEST_CASE("under eviction entries of any other size take the room of the old ones") {
    const std::vector<std::size_t> sizes{8, 50, 1'000, 12'000, 60'000, 200'000};
    const auto fill = [](store& db, char name, std::size_t size) {
        const auto rounds = 2 * db.ceiling() / (size + 24);
        std::size_t refused = 0;
        for (std::size_t i = 0; i < rounds; ++i) {
            refused += db.put(name + std::to_string(i), std::string(size, name), start) ? 0U : 1U;
        }
        return refused;
    };
    const auto before = GENERATE_REF(from_range(sizes));
    for (const auto after : sizes) {
        store db(*std::pmr::new_delete_resource(), {8 * MiB, 1, eviction::clock});
        store fresh(*std::pmr::new_delete_resource(), {8 * MiB, 1, eviction::clock});
        CAPTURE(before, after);
        CHECK(fill(db, 'a', before) == 0);
        CHECK(fill(db, 'b', after) == 0);
        CHECK(fill(fresh, 'b', after) == 0);
        std::size_t count = 0;
        std::uint64_t cursor = 0;
        do {
            cursor = db.scan(cursor, 100, start, [&](const store::entry& each) {
                count += each.value.size() == after ? 1U : 0U;
            });
        } while (cursor != 0);
        const auto bytes =
            (after + 16) * count + 768 * KiB;  // slabs that wait for their last entry
        CHECK(bytes >= (after + 16) * fresh.size() * 95 / 100);
    }
}

TEST_CASE("a put that cannot fit is refused before anything is evicted or moved") {
    store db(*std::pmr::new_delete_resource(), {8 * MiB, 1, eviction::clock});
    const std::string large(3 * MiB, 'l');
    REQUIRE(db.put("large", large, start));
    for (int i = 0; i < 10'000; ++i) {
        REQUIRE(db.put(std::to_string(i), "v", start));
    }
    const auto size = db.size();
    CHECK_FALSE(db.put("new", std::string(8 * MiB - 1000, 'n'), start));
    CHECK_FALSE(db.put("large", std::string(5 * MiB, 'n'), start));
    CHECK(db.size() == size);
    CHECK(*db.get("large", start) == large);
}

TEST_CASE("a million entries that expire together are swept in bounded steps") {
    store db(*std::pmr::new_delete_resource(), {256 * MiB, 1});
    const auto bytes_at_start = db.bytes_used();
    const auto deadline = start + std::chrono::seconds(1);
    for (int i = 0; i < 1'000'000; ++i) {
        REQUIRE(db.put(std::to_string(i), "value", start, deadline));
    }
    int sweeps = 0;
    std::size_t most = 0;
    for (auto before = db.size(); before > 0; before = db.size()) {
        db.sweep(deadline, 1024);
        most = std::max(most, before - db.size());
        REQUIRE(++sweeps < 10'000);
    }
    CHECK(most <= 1024 * 16);
    CHECK(db.expired() == 1'000'000);
    CHECK(db.bytes_used() == bytes_at_start);
}

TEST_CASE("a ceiling that is lowered is met by sweeping, and nothing is lost before") {
    store db(*std::pmr::new_delete_resource(), {16 * MiB, 1, eviction::clock});
    for (int i = 0; i < 100'000; ++i) {
        REQUIRE(db.put(std::string("k").append(std::to_string(i)), std::string(40, 'x'), start));
    }
    const auto before = db.size();
    db.set_ceiling(4 * MiB);
    CHECK(db.size() == before);
    for (int i = 0; i < 10'000 && db.sweep(start, 1024); ++i) {
    }
    CHECK(db.bytes_used() <= 4 * MiB);
    CHECK(db.size() > before / 6);
    CHECK(db.put("new", "1", start));
}

TEST_CASE("without eviction a ceiling that is lowered refuses, and deletes nothing") {
    store db(*std::pmr::new_delete_resource(), {16 * MiB, 1});
    for (int i = 0; i < 100'000; ++i) {
        REQUIRE(db.put(std::string("k").append(std::to_string(i)), std::string(40, 'x'), start));
    }
    db.set_ceiling(4 * MiB);
    CHECK_FALSE(db.sweep(start, 1024));
    CHECK_FALSE(db.put("new", std::string(1000, 'x'), start));
    CHECK(db.size() == 100'000);
    CHECK(db.erase("k1", start));
    CHECK(db.put("k2", "shorter", start));
    db.set_ceiling(16 * MiB);
    CHECK(db.put("new", "1", start));
}
