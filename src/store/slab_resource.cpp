#include <butterdb/base/assert.hpp>
#include <butterdb/base/limits.hpp>
#include <butterdb/store/slab_resource.hpp>

#include <algorithm>
#include <bit>
#include <new>

namespace butterdb {

namespace {

constexpr std::size_t small_max = 1 * KiB;   // one class per `small_step` up to here
constexpr std::size_t block_max = 16 * KiB;  // then `steps_per_doubling` classes, up to here
constexpr std::size_t small_step = 8;
constexpr unsigned step_bits = 5;
constexpr std::size_t small_classes = small_max / small_step;
constexpr std::size_t page_bytes = 4 * KiB;
constexpr std::size_t header_bytes = 64;

constexpr std::size_t round_up(std::size_t bytes, std::size_t step) noexcept {
    return (bytes + step - 1) / step * step;
}

constexpr std::size_t class_of(std::size_t bytes) noexcept {
    if (bytes <= small_max) {
        return bytes == 0 ? 0 : (bytes - 1) / small_step;
    }
    const auto doubling = static_cast<unsigned>(std::bit_width(bytes - 1)) - 1;
    const auto step = ((bytes - 1) >> (doubling - step_bits)) - (std::size_t{1} << step_bits);
    return small_classes + ((doubling - 10) << step_bits) + step;
}

constexpr std::size_t size_of_class(std::size_t size_class) noexcept {
    if (size_class < small_classes) {
        return (size_class + 1) * small_step;
    }
    const auto doubling = 10 + ((size_class - small_classes) >> step_bits);
    const auto step = (size_class - small_classes) & ((1U << step_bits) - 1);
    return ((std::size_t{1} << step_bits) + step + 1) << (doubling - step_bits);
}

static_assert(class_of(block_max) == 255 && size_of_class(255) == block_max);
static_assert(class_of(1 * KiB + 1) == 128 && size_of_class(128) == 1056);

constexpr std::size_t slab_bytes(std::size_t size_class) noexcept {
    return size_class < small_classes ? 64 * KiB : 256 * KiB;
}

// A multiple of the alignment is a class of its own, so its blocks are aligned.
constexpr std::size_t aligned_size(std::size_t bytes, std::size_t alignment) noexcept {
    return alignment <= small_step ? bytes : round_up(bytes, alignment);
}

struct free_block {
    free_block* next;
};

}  // namespace

struct alignas(header_bytes) slab_resource::slab {
    slab* next;
    slab* previous;
    free_block* free;     // blocks that were given back
    std::uint32_t fresh;  // offset of the first block that never was in use
    std::uint32_t used;   // blocks in use

    char* bytes() noexcept { return reinterpret_cast<char*>(this); }
    bool is_full(std::size_t size_class) const noexcept {
        return free == nullptr && fresh + size_of_class(size_class) > slab_bytes(size_class);
    }
};

slab_resource::~slab_resource() {
    BUTTERDB_ASSERT(
        std::ranges::all_of(with_room_, [](const slab* each) { return each == nullptr; }));
}

std::size_t slab_resource::block_size(std::size_t bytes) noexcept {
    return bytes > block_max ? round_up(bytes, page_bytes) : size_of_class(class_of(bytes));
}

void* slab_resource::do_allocate(std::size_t bytes, std::size_t alignment) {
    BUTTERDB_ASSERT(alignment <= header_bytes);
    if (bytes > std::size_t{1} << 62) {
        throw std::bad_alloc();
    }
    const auto size = aligned_size(bytes, alignment);
    if (size > block_max) {
        return upstream_->allocate(round_up(size, page_bytes), page_bytes);
    }
    const auto size_class = class_of(size);
    slab* const from =
        with_room_[size_class] != nullptr ? with_room_[size_class] : add_slab(size_class);
    void* block = from->free;
    if (block != nullptr) {
        from->free = from->free->next;
    } else {
        block = from->bytes() + from->fresh;
        from->fresh += static_cast<std::uint32_t>(size_of_class(size_class));
    }
    ++from->used;
    if (from->is_full(size_class)) {
        unlink(from, size_class);
    }
    return block;
}

void slab_resource::do_deallocate(void* block, std::size_t bytes, std::size_t alignment) {
    const auto size = aligned_size(bytes, alignment);
    if (size > block_max) {
        upstream_->deallocate(block, round_up(size, page_bytes), page_bytes);
        return;
    }
    const auto size_class = class_of(size);
    const auto slab_size = slab_bytes(size_class);
    const auto address = reinterpret_cast<std::uintptr_t>(block);
    auto* const home = reinterpret_cast<slab*>(address & ~(slab_size - 1));
    if (home->is_full(size_class)) {
        link(home, size_class);
    }
    home->free = ::new (block) free_block{home->free};
    --home->used;
    if (home->used == 0) {
        unlink(home, size_class);
        upstream_->deallocate(home, slab_size, slab_size);
    }
}

slab_resource::slab* slab_resource::add_slab(std::size_t size_class) {
    const auto size = slab_bytes(size_class);
    void* const memory = upstream_->allocate(size, size);
    auto* const fresh = ::new (memory) slab{nullptr, nullptr, nullptr, header_bytes, 0};
    link(fresh, size_class);
    return fresh;
}

void slab_resource::link(slab* entry, std::size_t size_class) noexcept {
    entry->previous = nullptr;
    entry->next = with_room_[size_class];
    if (entry->next != nullptr) {
        entry->next->previous = entry;
    }
    with_room_[size_class] = entry;
}

void slab_resource::unlink(slab* entry, std::size_t size_class) noexcept {
    (entry->previous == nullptr ? with_room_[size_class] : entry->previous->next) = entry->next;
    if (entry->next != nullptr) {
        entry->next->previous = entry->previous;
    }
}

}  // namespace butterdb
