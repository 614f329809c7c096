// Measures the store alone, without I/O: time and bytes per operation, the slowest operations while
// it grows and shrinks, and the standard library's map beside it.
//
// Usage: store-bench operations COUNT | stalls COUNT | compare COUNT

#include "bench/histogram.hpp"
#include "page_resource.hpp"
#include <butterdb/base/limits.hpp>
#include <butterdb/store/store.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory_resource>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace {

using namespace butterdb;
using steady = std::chrono::steady_clock;

constexpr time_point now{};
constexpr std::size_t key_bytes = 16;
constexpr std::size_t value_bytes = 32;
constexpr std::uint64_t ceiling = std::uint64_t{1} << 40;

// The same keys every time, in an order that has nothing to do with their numbers.
class key_maker {
public:
    std::string_view operator()(std::uint64_t number) {
        number = (number + 1) * 0x9e3779b97f4a7c15;
        for (std::size_t i = 0; i < key_bytes; ++i) {
            text_[i] = "0123456789abcdef"[number >> (4 * i) & 15];
        }
        return {text_.data(), key_bytes};
    }

private:
    std::array<char, key_bytes> text_{};
};

// A random permutation's next element: visits each number below `count` in some order.
std::uint64_t shuffled(std::uint64_t i, std::uint64_t count) {
    return i * 2'654'435'761U % count;
}

template <typename Operation>
double nanoseconds_each(std::uint64_t count, Operation operation) {
    const auto begin = steady::now();
    for (std::uint64_t i = 0; i < count; ++i) {
        operation(i);
    }
    return std::chrono::duration<double, std::nano>(steady::now() - begin).count() /
           static_cast<double>(count);
}

void print(const char* name, double nanoseconds) {
    std::printf("  %-22s %8.1f ns\n", name, nanoseconds);
}

std::uint64_t found = 0;  // keeps the optimiser from dropping what nobody looks at

void measure_operations(std::uint64_t count) {
    page_resource pages;
    store db(pages, {ceiling, 42});
    key_maker key;
    const std::string value(value_bytes, 'v');
    const auto put = [&](std::uint64_t i) { found += db.put(key(i), value, now) ? 1U : 0U; };
    const auto rounds = std::max<std::uint64_t>(count, 1'000'000);
    std::printf(
        "%llu entries of %zu + %zu bytes\n",
        static_cast<unsigned long long>(count),
        key_bytes,
        value_bytes);
    print("put, new", nanoseconds_each(count, put));
    std::printf(
        "  %-22s %8.1f B beyond key and value\n",
        "memory per entry",
        static_cast<double>(db.bytes_used()) / static_cast<double>(count) - key_bytes -
            value_bytes);
    print("put, over", nanoseconds_each(rounds, [&](std::uint64_t i) { put(shuffled(i, count)); }));
    print("get, hit", nanoseconds_each(rounds, [&](std::uint64_t i) {
              found += db.get(key(shuffled(i, count)), now)->size();
          }));
    constexpr std::size_t batch = 16;
    std::array<key_maker, batch> makers;
    std::array<std::string_view, batch> keys;
    print("get, hit, batches of 16", nanoseconds_each(rounds / batch, [&](std::uint64_t i) {
                                         for (std::size_t k = 0; k < batch; ++k) {
                                             keys[k] = makers[k](shuffled(i * batch + k, count));
                                         }
                                         db.prefetch(keys);
                                         for (const auto each : keys) {
                                             found += db.get(each, now)->size();
                                         }
                                     }) / batch);
    print("get, miss", nanoseconds_each(rounds, [&](std::uint64_t i) {
              found += db.get(key(count + i), now) ? 1U : 0U;
          }));
    std::uint64_t cursor = 0;
    print("scan, an entry", nanoseconds_each(1, [&](std::uint64_t) {
                                do {
                                    cursor =
                                        db.scan(cursor, 100, now, [](const store::entry& each) {
                                            found += each.value.size();
                                        });
                                } while (cursor != 0);
                            }) / static_cast<double>(count));
    const std::string longer(3 * value_bytes, 'w');
    print("put, other size", nanoseconds_each(rounds, [&](std::uint64_t i) {
              const std::string_view some(longer.data(), shuffled(i, longer.size()));
              found += db.put(key(shuffled(i * 7, count)), some, now) ? 1U : 0U;
          }));
    print("delete", nanoseconds_each(count, [&](std::uint64_t i) {
              found += db.erase(key(shuffled(i, count)), now) ? 1U : 0U;
          }));
}

// The slowest of many operations. A slow one is the table's doing only if the same operation is
// slow in every one of three runs: the machine's interruptions come at other times.
class slowest {
public:
    explicit slowest(std::uint64_t count) : nanoseconds_(count, UINT32_MAX) {}

    template <typename Operation>
    void run(std::uint64_t i, Operation operation) {
        const auto begin = steady::now();
        operation();
        const auto took =
            std::chrono::duration_cast<std::chrono::nanoseconds>(steady::now() - begin).count();
        nanoseconds_[i] = std::min(
            nanoseconds_[i], static_cast<std::uint32_t>(std::min<std::int64_t>(took, UINT32_MAX)));
        worst_once_ = std::max<std::int64_t>(worst_once_, took);
    }

    void print(const char* name) const {
        bench::histogram all;
        for (const auto each : nanoseconds_) {
            all.add(std::chrono::nanoseconds(each));
        }
        std::printf(
            "  %-8s p50 %6.2f us  p99.99 %7.2f us  max %8.2f us  (max of a single run %.2f us)\n",
            name,
            static_cast<double>(all.percentile(50).count()) / 1e3,
            static_cast<double>(all.percentile(99.99).count()) / 1e3,
            static_cast<double>(all.max().count()) / 1e3,
            static_cast<double>(worst_once_) / 1e3);
    }

private:
    std::vector<std::uint32_t> nanoseconds_;
    std::int64_t worst_once_ = 0;
};

void measure_stalls(std::uint64_t count) {
    slowest puts(count);
    slowest deletes(count);
    slowest flushes(1);
    slowest sweeps(1);
    const std::string value(value_bytes, 'v');
    for (int run = 0; run < 3; ++run) {
        page_resource pages;
        store db(pages, {ceiling, 42});
        key_maker key;
        for (std::uint64_t i = 0; i < count; ++i) {
            const auto name = key(i);
            puts.run(i, [&] { found += db.put(name, value, now) ? 1U : 0U; });
        }
        for (std::uint64_t i = 0; i < count; ++i) {
            const auto name = key(shuffled(i, count));
            deletes.run(i, [&] { found += db.erase(name, now) ? 1U : 0U; });
        }
        for (std::uint64_t i = 0; i < count; ++i) {
            found += db.put(key(i), value, now) ? 1U : 0U;
        }
        flushes.run(0, [&] { db.clear(); });
        bool more = true;
        while (more) {
            sweeps.run(0, [&] { more = db.sweep(now, limits{}.upkeep_buckets); });
        }
    }
    std::printf(
        "%llu operations each, three runs, each operation's best of them\n",
        static_cast<unsigned long long>(count));
    puts.print("put");
    deletes.print("delete");
    flushes.print("clear");
    sweeps.print("sweep");
}

void compare_with_map(std::uint64_t count) {
    struct hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view key) const noexcept { return seeded_hash(key, 42); }
    };
    page_resource pages;
    store db(pages, {ceiling, 42});
    std::pmr::unordered_map<std::pmr::string, std::pmr::string, hash, std::equal_to<>> map;
    key_maker key;
    const std::string value(value_bytes, 'v');
    for (std::uint64_t i = 0; i < count; ++i) {
        found += db.put(key(i), value, now) ? 1U : 0U;
        map.emplace(key(i), value);
    }
    std::vector<double> ratios;
    for (int round = 0; round < 7; ++round) {
        const auto ours = nanoseconds_each(1'000'000, [&](std::uint64_t i) {
            found += db.get(key(shuffled(i, count)), now)->size();
        });
        const auto theirs = nanoseconds_each(1'000'000, [&](std::uint64_t i) {
            found += map.find(key(shuffled(i, count)))->second.size();
        });
        std::printf("  get, hit: store %6.1f ns, std::pmr::unordered_map %6.1f ns\n", ours, theirs);
        ratios.push_back(theirs / ours);
    }
    std::ranges::sort(ratios);
    std::printf("  median ratio %.2f\n", ratios[ratios.size() / 2]);
}

}  // namespace

int main(int argc, char** argv) {
    const std::string_view what = argc == 3 ? argv[1] : "";
    const auto count = argc == 3 ? std::strtoull(argv[2], nullptr, 10) : 0;
    if (count > 0 && what == "operations") {
        measure_operations(count);
    } else if (count > 0 && what == "stalls") {
        measure_stalls(count);
    } else if (count > 0 && what == "compare") {
        compare_with_map(count);
    } else {
        std::fprintf(
            stderr, "usage: store-bench operations COUNT | stalls COUNT | compare COUNT\n");
        return 2;
    }
    return found == 0 ? 1 : 0;
}
