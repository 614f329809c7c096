// Measures the store alone, without I/O: time and bytes per operation, the slowest operations while
// it grows and shrinks, the standard library's map beside it, keys made to collide, and what other
// allocators would do with its entries.
//
// Usage: store-bench operations|stalls|expiry|eviction|compare|crafted|allocators COUNT

#include "bench/histogram.hpp"
#include "bench/micro/crafted_keys.hpp"
#include "page_resource.hpp"
#include <butterdb/base/limits.hpp>
#include <butterdb/store/slab_resource.hpp>
#include <butterdb/store/store.hpp>

#include <sys/wait.h>
#include <unistd.h>

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

// The same numbers every time, that have nothing to do with each other (splitmix64).
std::uint64_t mixed(std::uint64_t number) {
    number = (number + 1) * 0x9e3779b97f4a7c15;
    number = (number ^ number >> 30) * 0xbf58476d1ce4e5b9;
    number = (number ^ number >> 27) * 0x94d049bb133111eb;
    return number ^ number >> 31;
}

// A key costs few instructions, so that what is measured is the store.
class key_maker {
public:
    std::string_view operator()(std::uint64_t number) {
        const std::array<std::uint64_t, 2> words{mixed(number), number};
        static_assert(sizeof words == key_bytes);
        std::memcpy(text_.data(), words.data(), sizeof words);
        return {text_.data(), key_bytes};
    }

private:
    std::array<char, key_bytes> text_{};
};

// A random number below `count`.
std::uint64_t some(std::uint64_t i, std::uint64_t count) {
    return static_cast<std::uint64_t>((static_cast<__uint128_t>(mixed(~i)) * count) >> 64);
}

// Visits each number below `count` once, in some order.
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

// None of them comes.
void measure_deadlines(std::uint64_t count) {
    page_resource pages;
    store db(pages, {ceiling, 42});
    key_maker key;
    const auto later = now + std::chrono::hours(1);
    const std::string value(value_bytes, 'v');
    const auto rounds = std::max<std::uint64_t>(count, 1'000'000);
    for (std::uint64_t i = 0; i < count; ++i) {
        found += db.put(key(i), value, now) ? 1U : 0U;
    }
    const auto give = [&](std::string_view to, time_point deadline) {
        found += db.set_deadline(to, deadline, now) ? 1U : 0U;
    };
    const auto first = [&](std::uint64_t i) { give(key(shuffled(i, count)), later); };
    const auto another = [&](std::uint64_t i) {
        give(key(some(i, count)), later + std::chrono::milliseconds(i));
    };
    const auto put = [&](std::uint64_t i) {
        found += db.put(key(some(i, count)), value, now, later) ? 1U : 0U;
    };
    print("deadline, first", nanoseconds_each(count, first));
    print("deadline, another", nanoseconds_each(rounds, another));
    print("put, over, with one", nanoseconds_each(rounds, put));
    found += db.put("large", std::string(60 * MiB, 'v'), now) ? 1U : 0U;
    const auto of_large = [&](std::uint64_t) { give("large", later); };
    print("deadline of 60 MiB", nanoseconds_each(1, of_large));
}

void measure_operations(std::uint64_t count) {
    page_resource pages;
    store db(pages, {ceiling, 42});
    key_maker key;
    const std::string value(value_bytes, 'v');
    const auto put = [&](std::uint64_t i) { found += db.put(key(i), value, now) ? 1U : 0U; };
    const auto rounds = std::max<std::uint64_t>(count, 1'000'000);
    print("put, new", nanoseconds_each(count, put));
    std::printf(
        "  %-22s %8.1f B beyond key and value\n",
        "memory per entry",
        static_cast<double>(db.bytes_used()) / static_cast<double>(count) - key_bytes -
            value_bytes);
    print("put, over", nanoseconds_each(rounds, [&](std::uint64_t i) { put(some(i, count)); }));
    print("get, hit", nanoseconds_each(rounds, [&](std::uint64_t i) {
              found += static_cast<unsigned char>(db.get(key(some(i, count)), now)->front());
          }));
    constexpr std::size_t batch = 16;
    std::array<key_maker, batch> makers;
    std::array<std::string_view, batch> keys;
    print("get, hit, batches of 16", nanoseconds_each(rounds / batch, [&](std::uint64_t i) {
                                         for (std::size_t k = 0; k < batch; ++k) {
                                             keys[k] = makers[k](some(i * batch + k, count));
                                         }
                                         db.expect_all(keys);
                                         for (const auto each : keys) {
                                             found += static_cast<unsigned char>(
                                                 db.get(each, now)->front());
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
    print("put, over, other size", nanoseconds_each(rounds, [&](std::uint64_t i) {
              const std::string_view value_of_some_size(longer.data(), some(7 * i, longer.size()));
              found += db.put(key(some(i, count)), value_of_some_size, now) ? 1U : 0U;
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
            if (each != UINT32_MAX) {  // which has run
                all.add(std::chrono::nanoseconds(each));
            }
        }
        std::printf(
            "  %-26s p50 %6.2f us  p99.99 %7.2f us  max %8.2f us  (max of a single run %.2f us)\n",
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
    puts.print("put");
    deletes.print("delete");
    flushes.print("clear");
    sweeps.print("sweep");
}

void compare_with_map(std::uint64_t count) {
    struct hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view key) const noexcept {
            static const hash_secret secret(42);
            return secret_hash(key, secret);
        }
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
    const auto ours = [&](std::uint64_t i) { return db.get(key(i), now)->front(); };
    const auto theirs = [&](std::uint64_t i) { return map.find(key(i))->second.front(); };
    const auto in_turns = [&](const char* name, auto read) {
        std::vector<double> ratios;
        for (int round = 0; round < 7; ++round) {
            const auto of_store = read(ours);
            const auto of_map = read(theirs);
            std::printf("  store %6.1f ns, std::pmr::unordered_map %6.1f ns\n", of_store, of_map);
            ratios.push_back(of_map / of_store);
        }
        std::ranges::sort(ratios);
        std::printf("  get, hit, %s: median ratio %.2f\n", name, ratios[ratios.size() / 2]);
    };
    // Which key is next depends on the value before, so that nothing overlaps, as with requests
    // that come singly. Otherwise the processor begins with the next keys meanwhile.
    in_turns("one after the other", [&](auto get) {
        std::uint64_t before = 0;
        return nanoseconds_each(1'000'000, [&](std::uint64_t i) {
            before = static_cast<unsigned char>(get(some(i + before, count)));
            found += before;
        });
    });
    in_turns("independent of each other", [&](auto get) {
        return nanoseconds_each(1'000'000, [&](std::uint64_t i) {
            found += static_cast<unsigned char>(get(some(i, count)));
        });
    });
}

// Entries that all expire in the same moment: the turns that free them, as the server makes them.
void measure_expiry(std::uint64_t count) {
    const auto late = now + std::chrono::seconds(1);
    const std::string value(value_bytes, 'v');
    slowest turns(count);
    for (int run = 0; run < 3; ++run) {
        page_resource pages;
        store db(pages, {ceiling, 42});
        key_maker key;
        for (std::uint64_t i = 0; i < count; ++i) {
            found += db.put(key(i), value, now, late) ? 1U : 0U;
        }
        std::uint64_t turn = 0;
        while (db.size() > 0) {
            turns.run(turn++, [&] { db.sweep(late, limits{}.upkeep_buckets); });
        }
    }
    turns.print("turn");
}

// At the ceiling, with eviction: each put has to make room for itself.
void measure_eviction(std::uint64_t count) {
    page_resource pages;
    store db(pages, {count * 70 + MiB, 42, eviction::clock});
    key_maker key;
    const std::string value(value_bytes, 'v');
    slowest puts(count);
    for (std::uint64_t i = 0; i < 2 * count; ++i) {
        found += db.put(key(i), value, now) ? 1U : 0U;
    }
    std::uint64_t next = 2 * count;
    const auto each = nanoseconds_each(
        count, [&](std::uint64_t) { found += db.put(key(next++), value, now) ? 1U : 0U; });
    std::printf("  put, evicting of the same size %8.1f ns\n", each);
    // Everything has been read when the sizes change: the hand has to clear all those marks.
    const auto read_all = [&] {
        for (std::uint64_t i = 0; i < next; ++i) {
            found += db.get(key(i), now) ? 1U : 0U;
        }
    };
    const std::string longer(20 * value_bytes, 'w');
    read_all();
    for (std::uint64_t i = 0; i < count; ++i) {
        const auto name = key(next++);
        puts.run(i, [&] { found += db.put(name, longer, now) ? 1U : 0U; });
    }
    puts.print("put, evicting smaller ones");
    slowest shorter(count);
    read_all();
    for (std::uint64_t i = 0; i < count; ++i) {
        const auto name = key(next++);
        shorter.run(i, [&] { found += db.put(name, value, now) ? 1U : 0U; });
    }
    shorter.print("put, evicting larger ones");
}

void compare_crafted_keys(std::uint64_t count) {
    const std::string value(value_bytes, 'v');
    const auto fill = [&](auto key, std::uint64_t keys, std::uint64_t seed, hash_function hash) {
        page_resource pages;
        store db(pages, {ceiling, seed, eviction::none, hash});
        return nanoseconds_each(
                   keys, [&](std::uint64_t i) { found += db.put(key(i), value, now) ? 1U : 0U; }) +
               nanoseconds_each(keys, [&](std::uint64_t i) {
                   found += db.get(key(some(i, keys)), now) ? 1U : 0U;
               });
    };
    std::vector<double> ratios;
    for (std::uint64_t round = 1; round <= 7; ++round) {
        const auto random = fill(key_maker(), count, round, secret_hash);
        const auto crafted = fill(bench::crafted_keys(), count, round, secret_hash);
        std::printf("  put + get: random keys %6.1f ns, crafted keys %6.1f ns\n", random, crafted);
        ratios.push_back(crafted / random);
    }
    std::ranges::sort(ratios);
    std::printf("  median ratio %.2f\n", ratios[ratios.size() / 2]);
    constexpr std::uint64_t few = 5'000;
    std::printf(
        "  without the secret, %llu of them: %.0f ns\n",
        static_cast<unsigned long long>(few),
        fill(bench::crafted_keys(), few, 0, bench::crafted_keys::unseeded_hash));
}

std::size_t resident_bytes() {
    std::FILE* const file = std::fopen("/proc/self/statm", "r");
    unsigned long pages = 0;
    if (file == nullptr || std::fscanf(file, "%*u %lu", &pages) != 1) {
        std::perror("/proc/self/statm");
        std::exit(1);
    }
    std::fclose(file);
    return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

// Blocks as entries of 16 + 22 to 54 bytes need them: all are allocated, then some block is freed
// and one of another size allocated, four times as often.
void measure_allocator(const char* name, std::pmr::memory_resource& memory, std::uint64_t count) {
    struct block {
        void* at;
        std::size_t bytes;
    };
    std::vector<block> blocks(count, {&blocks, 1});
    const auto resident_before = resident_bytes();
    std::size_t bytes = 0;
    const auto fill = [&](block& each, std::uint64_t i) {
        each.bytes = 40 + some(i, 33);
        each.at = std::memset(memory.allocate(each.bytes, 1), 1, each.bytes);
        bytes += each.bytes;
    };
    for (std::uint64_t i = 0; i < count; ++i) {
        fill(blocks[i], i);
    }
    const auto churn = nanoseconds_each(4 * count, [&](std::uint64_t i) {
        auto& each = blocks[some(i, count)];
        bytes -= each.bytes;
        memory.deallocate(each.at, each.bytes, 1);
        fill(each, ~i);
    });
    const auto grown = static_cast<double>(resident_bytes() - resident_before);
    std::printf(
        "  %-36s %5.1f B a block beyond its size, %6.1f ns to free and allocate\n",
        name,
        (grown - static_cast<double>(bytes)) / static_cast<double>(count),
        churn);
}

// Each in a process of its own, which begins with untouched memory.
void compare_allocators(std::uint64_t count) {
    page_resource pages;
    slab_resource slab(pages);
    std::pmr::unsynchronized_pool_resource pool;
    const auto in_child = [&](const char* name, std::pmr::memory_resource& memory) {
        std::fflush(stdout);
        const auto child = ::fork();
        if (child == 0) {
            measure_allocator(name, memory, count);
            std::fflush(stdout);
            ::_exit(0);
        }
        int status = 0;
        found += ::waitpid(child, &status, 0) == child && status == 0 ? 1U : 0U;
    };
    in_child("slab_resource", slab);
    in_child("std::pmr::unsynchronized_pool_resource", pool);
    in_child("malloc (or what is preloaded)", *std::pmr::new_delete_resource());
}

}  // namespace

int main(int argc, char** argv) {
    struct benchmark {
        std::string_view name;
        void (*run)(std::uint64_t count);
    };
    static constexpr std::array benchmarks{
        benchmark{"operations", measure_operations},
        benchmark{"deadlines", measure_deadlines},
        benchmark{"stalls", measure_stalls},
        benchmark{"expiry", measure_expiry},
        benchmark{"eviction", measure_eviction},
        benchmark{"compare", compare_with_map},
        benchmark{"crafted", compare_crafted_keys},
        benchmark{"allocators", compare_allocators},
    };
    const auto count = argc == 3 ? std::strtoull(argv[2], nullptr, 10) : 0;
    for (const auto& each : benchmarks) {
        if (count > 0 && each.name == argv[1]) {
            std::printf("%s %llu\n", argv[1], count);
            each.run(count);
            return found == 0 ? 1 : 0;
        }
    }
    std::fprintf(
        stderr,
        "usage: store-bench operations|deadlines|stalls|expiry|eviction|compare|crafted|allocators "
        "COUNT\n");
    return 2;
}
