#include "page_resource.hpp"

#include <butterdb/base/assert.hpp>
#include <butterdb/base/limits.hpp>

#include <sys/mman.h>

#include <algorithm>
#include <bitset>
#include <new>

namespace butterdb {

namespace {

constexpr std::size_t page_bytes = 4 * KiB;
constexpr std::size_t region_bytes = 4 * MiB;
constexpr std::size_t region_pages = region_bytes / page_bytes;
constexpr std::size_t run_bytes_max = region_bytes / 2;

// Regions looked through for a run, the ones with a page given back last first.
constexpr int regions_searched_max = 32;

constexpr std::size_t pages_for(std::size_t bytes) noexcept {
    return bytes / page_bytes + (bytes % page_bytes == 0 ? 0 : 1);
}

char* map(std::size_t bytes) {
    void* const memory =
        ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        throw std::bad_alloc();
    }
    return static_cast<char*>(memory);
}

// Maps twice as much and gives back what lies outside the aligned half.
char* map_aligned(std::size_t bytes) {
    char* const wide = map(2 * bytes);
    const auto behind = reinterpret_cast<std::uintptr_t>(wide) & (bytes - 1);
    const auto before = behind == 0 ? 0 : bytes - behind;
    if (before != 0) {
        ::munmap(wide, before);
    }
    ::munmap(wide + before + bytes, bytes - before);
    return wide + before;
}

}  // namespace

struct page_resource::region {
    region* next = nullptr;
    region* previous = nullptr;
    std::size_t free_pages = region_pages - 1;
    std::bitset<region_pages> used = 1;  // this one

    // The first of `count` free pages at a multiple of `step`, 0 when there are none.
    std::size_t find_run(std::size_t count, std::size_t step) const noexcept {
        std::size_t first = step;
        while (first + count <= region_pages) {
            std::size_t page = first;
            while (page < first + count && !used[page]) {
                ++page;
            }
            if (page == first + count) {
                return first;
            }
            first = (page / step + 1) * step;  // behind the page in use
        }
        return 0;
    }

    void mark(std::size_t first, std::size_t count, bool in_use) noexcept {
        for (std::size_t page = first; page < first + count; ++page) {
            used[page] = in_use;
        }
        free_pages = in_use ? free_pages - count : free_pages + count;
    }

    char* bytes() noexcept { return reinterpret_cast<char*>(this); }
};

page_resource::~page_resource() {
    BUTTERDB_ASSERT(mapped_ == 0);
}

void* page_resource::do_allocate(std::size_t bytes, std::size_t alignment) {
    const auto count = pages_for(bytes);
    if (bytes > run_bytes_max) {
        BUTTERDB_ASSERT(alignment <= page_bytes);
        char* const memory = map(count * page_bytes);
        mapped_ += count * page_bytes;
        return memory;
    }
    BUTTERDB_ASSERT(alignment <= run_bytes_max);
    const auto step = std::max<std::size_t>(alignment / page_bytes, 1);
    std::size_t first = 0;
    auto* from = with_room_;
    for (int searched = 0; from != nullptr && searched < regions_searched_max; ++searched) {
        first = from->free_pages < count ? 0 : from->find_run(count, step);
        if (first != 0) {
            break;
        }
        from = from->next;
    }
    if (first == 0) {
        from = add_region();
        first = from->find_run(count, step);
    }
    from->mark(first, count, true);
    if (from->free_pages == 0) {
        unlink(from);
    }
    return from->bytes() + first * page_bytes;
}

void page_resource::do_deallocate(void* block, std::size_t bytes, std::size_t) {
    const auto count = pages_for(bytes);
    if (bytes > run_bytes_max) {
        ::munmap(block, count * page_bytes);
        mapped_ -= count * page_bytes;
        return;
    }
    const auto address = reinterpret_cast<std::uintptr_t>(block);
    auto* const home = reinterpret_cast<region*>(address & ~(region_bytes - 1));
    if (home->free_pages == 0) {
        link(home);
    }
    home->mark((address & (region_bytes - 1)) / page_bytes, count, false);
    if (home->free_pages == region_pages - 1) {
        unlink(home);
        ::munmap(home, region_bytes);
        mapped_ -= region_bytes;
    } else {
        ::madvise(block, count * page_bytes, MADV_DONTNEED);
    }
}

page_resource::region* page_resource::add_region() {
    char* const memory = map_aligned(region_bytes);
    // Pages given back must not return with a huge page around them: the ceiling would not hold.
    ::madvise(memory, region_bytes, MADV_NOHUGEPAGE);
    auto* const fresh = ::new (memory) region;
    mapped_ += region_bytes;
    link(fresh);
    return fresh;
}

void page_resource::link(region* each) noexcept {
    each->previous = nullptr;
    each->next = with_room_;
    if (with_room_ != nullptr) {
        with_room_->previous = each;
    }
    with_room_ = each;
}

void page_resource::unlink(region* each) noexcept {
    (each->previous == nullptr ? with_room_ : each->previous->next) = each->next;
    if (each->next != nullptr) {
        each->next->previous = each->previous;
    }
}

}  // namespace butterdb
