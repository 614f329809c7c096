#include "page_resource.hpp"
#include "support/catch.hpp"
#include "support/failing_resource.hpp"
#include <butterdb/base/limits.hpp>
#include <butterdb/store/slab_resource.hpp>

#include <algorithm>
#include <cstring>
#include <random>
#include <utility>
#include <vector>

using namespace butterdb;

namespace {

struct block {
    unsigned char* bytes;
    std::size_t size;
    std::size_t alignment;
    unsigned char mark;
};

// Random blocks of all sizes, marked, checked and given back.
void exercise(std::pmr::memory_resource& memory, std::size_t size_max) {
    std::mt19937_64 random(9);
    std::vector<block> blocks;
    for (int step = 0; step < 60'000; ++step) {
        if (blocks.size() < 2000 && random() % 2 == 0) {
            const auto alignment = std::size_t{1} << random() % 7;
            const auto size = 1 + random() % (random() % 8 == 0 ? size_max : 300);
            auto* const bytes = static_cast<unsigned char*>(memory.allocate(size, alignment));
            REQUIRE(reinterpret_cast<std::uintptr_t>(bytes) % alignment == 0);
            const auto mark = static_cast<unsigned char>(step);
            std::memset(bytes, mark, size);
            blocks.push_back({bytes, size, alignment, mark});
        } else if (!blocks.empty()) {
            std::swap(blocks[random() % blocks.size()], blocks.back());
            const auto last = blocks.back();
            blocks.pop_back();
            REQUIRE(last.bytes[0] == last.mark);
            REQUIRE(last.bytes[last.size / 2] == last.mark);
            REQUIRE(last.bytes[last.size - 1] == last.mark);
            memory.deallocate(last.bytes, last.size, last.alignment);
        }
    }
    for (const auto& each : blocks) {
        memory.deallocate(each.bytes, each.size, each.alignment);
    }
}

}  // namespace

TEST_CASE("blocks of a slab do not overlap, and all memory goes back") {
    test::failing_resource upstream;
    {
        slab_resource slab(upstream);
        exercise(slab, 40'000);
        CHECK(upstream.bytes_held() == 0);
    }
}

TEST_CASE("block sizes are close to what was asked for") {
    for (std::size_t bytes = 1; bytes <= 200'000; ++bytes) {
        const auto size = slab_resource::block_size(bytes);
        REQUIRE(size >= bytes);
        REQUIRE(slab_resource::block_size(size) == size);
        const auto step = bytes <= KiB ? 8 : bytes <= 16 * KiB ? bytes / 32 + 1 : 4 * KiB;
        REQUIRE(size - bytes < step);
    }
}

TEST_CASE("a slab that gets no memory has changed nothing") {
    test::failing_resource upstream;
    slab_resource slab(upstream);
    upstream.fail_at(1, test::failing_resource::mode::from_then_on);
    CHECK_THROWS_AS(slab.allocate(10), std::bad_alloc);
    CHECK_THROWS_AS(slab.allocate(100'000), std::bad_alloc);
    const volatile auto most = static_cast<std::size_t>(-1);  // GCC warns where it sees the number
    CHECK_THROWS_AS(slab.allocate(most, 1), std::bad_alloc);
    upstream.never_fail();
    void* const block = slab.allocate(10, 1);
    slab.deallocate(block, 10, 1);
    CHECK(upstream.bytes_held() == 0);
}

TEST_CASE("page runs do not overlap, are aligned, and go back to the system") {
    page_resource pages;
    std::mt19937_64 random(3);
    std::vector<block> blocks;
    for (int step = 0; step < 20'000; ++step) {
        if (blocks.size() < 300 && random() % 2 == 0) {
            const auto alignment = random() % 3 == 0   ? 256 * KiB
                                   : random() % 2 == 0 ? 64 * KiB
                                                       : 4 * KiB;
            const auto size = alignment == 4 * KiB ? (1 + random() % 40) * 4 * KiB : alignment;
            auto* const bytes = static_cast<unsigned char*>(pages.allocate(size, alignment));
            REQUIRE(reinterpret_cast<std::uintptr_t>(bytes) % alignment == 0);
            REQUIRE(bytes[0] == 0);  // given back pages come back empty
            const auto mark = static_cast<unsigned char>(step | 1);
            bytes[0] = bytes[size - 1] = mark;
            blocks.push_back({bytes, size, alignment, mark});
        } else if (!blocks.empty()) {
            std::swap(blocks[random() % blocks.size()], blocks.back());
            const auto last = blocks.back();
            blocks.pop_back();
            REQUIRE(last.bytes[0] == last.mark);
            REQUIRE(last.bytes[last.size - 1] == last.mark);
            pages.deallocate(last.bytes, last.size, last.alignment);
        }
    }
    for (const auto& each : blocks) {
        pages.deallocate(each.bytes, each.size, each.alignment);
    }
    CHECK(pages.bytes_mapped() == 0);
    void* const large = pages.allocate(10 * MiB, 4 * KiB);
    CHECK(pages.bytes_mapped() == 10 * MiB);
    pages.deallocate(large, 10 * MiB, 4 * KiB);
    CHECK(pages.bytes_mapped() == 0);
    CHECK_THROWS_AS(pages.allocate(std::size_t{1} << 60, 4 * KiB), std::bad_alloc);
}

TEST_CASE("slabs over pages hold together") {
    page_resource pages;
    {
        slab_resource slab(pages);
        exercise(slab, 40'000);
    }
    CHECK(pages.bytes_mapped() == 0);
}

TEST_CASE("compacting moves each block of one slab once, and gives the slab back") {
    constexpr std::size_t size = 104;
    test::failing_resource upstream;
    slab_resource slab(upstream);
    std::vector<unsigned char*> blocks;
    for (int i = 0; i < 3'000; ++i) {
        blocks.push_back(static_cast<unsigned char*>(slab.allocate(size)));
        std::memset(blocks.back(), i % 251, size);
    }
    const auto slab_bytes = 64 * KiB;
    CHECK_FALSE(slab.compact(0, [](const char*, const char*) { FAIL("nothing to move"); }));
    for (std::size_t i = 0; i < blocks.size(); i += 2) {
        slab.deallocate(std::exchange(blocks[i], nullptr), size);
    }
    CHECK_FALSE(slab.compact(90, [](const char*, const char*) { FAIL("too full"); }));
    while (slab.reclaimable() > 0) {
        const auto held = upstream.bytes_held();
        const auto reclaimable = slab.reclaimable();
        std::size_t moved = 0;
        REQUIRE(slab.compact(0, [&](char* from, char* to) {
            const auto at = std::ranges::find(blocks, reinterpret_cast<unsigned char*>(from));
            REQUIRE(at != blocks.end());
            std::memcpy(to, from, size);
            *at = reinterpret_cast<unsigned char*>(to);
            ++moved;
        }));
        CHECK(moved > 0);
        CHECK(upstream.bytes_held() == held - slab_bytes);
        CHECK(slab.reclaimable() == reclaimable - slab_bytes);
    }
    for (std::size_t i = 1; i < blocks.size(); i += 2) {
        for (std::size_t byte = 0; byte < size; ++byte) {
            REQUIRE(blocks[i][byte] == i % 251);
        }
        slab.deallocate(blocks[i], size);
    }
    CHECK(upstream.bytes_held() == 0);
}
