#include <butterdb/base/assert.hpp>
#include <butterdb/base/limits.hpp>
#include <butterdb/store/slab_resource.hpp>

#include <algorithm>
#include <bit>
#include <bitset>
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
constexpr std::size_t slab_bytes_max = 256 * KiB;

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

// The smallest slab of which no more than a fiftieth cannot be used.
constexpr std::size_t slab_bytes_for(std::size_t size) noexcept {
    std::size_t bytes = 64 * KiB;
    while (bytes < slab_bytes_max && (bytes - header_bytes) % size * 50 > bytes) {
        bytes *= 2;
    }
    return bytes;
}

struct slab_shape {
    std::uint32_t bytes;
    std::uint32_t blocks;
};

constexpr auto shapes = [] {
    std::array<slab_shape, class_of(block_max) + 1> all{};
    for (std::size_t i = 0; i < all.size(); ++i) {
        const auto size = size_of_class(i);
        const auto bytes = slab_bytes_for(size);
        all[i] = {
            static_cast<std::uint32_t>(bytes),
            static_cast<std::uint32_t>((bytes - header_bytes) / size)};
    }
    return all;
}();

constexpr std::size_t blocks_in_slab_max = shapes[0].blocks;

// Slabs with room that are looked at for the emptiest.
constexpr int slabs_looked_at_max = 32;

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
        return free == nullptr && fresh + size_of_class(size_class) > shapes[size_class].bytes;
    }
};

slab_resource::~slab_resource() {
    BUTTERDB_ASSERT(
        std::ranges::all_of(families_, [](const family& each) { return each.slabs == 0; }));
}

std::size_t slab_resource::block_size(std::size_t bytes) noexcept {
    return bytes > block_max ? round_up(bytes, page_bytes) : size_of_class(class_of(bytes));
}

std::size_t slab_resource::growth_for(std::size_t bytes) const noexcept {
    if (bytes > block_max) {
        return round_up(bytes, page_bytes);
    }
    const auto size_class = class_of(bytes);
    return families_[size_class].free_blocks > 0 ? 0 : shapes[size_class].bytes;
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
    auto& kind = families_[size_class];
    slab* const from = kind.with_room != nullptr ? kind.with_room : add_slab(size_class);
    void* block = from->free;
    if (block != nullptr) {
        from->free = from->free->next;
    } else {
        block = from->bytes() + from->fresh;
        from->fresh += static_cast<std::uint32_t>(size_of_class(size_class));
    }
    ++from->used;
    --kind.free_blocks;
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
    const std::uintptr_t slab_size = shapes[size_class].bytes;
    const auto address = reinterpret_cast<std::uintptr_t>(block);
    auto* const home = reinterpret_cast<slab*>(address & ~(slab_size - 1));
    if (home->is_full(size_class)) {
        link(home, size_class);
    }
    home->free = ::new (block) free_block{home->free};
    --home->used;
    auto& kind = families_[size_class];
    ++kind.free_blocks;
    if (home->used == 0) {
        unlink(home, size_class);
        --kind.slabs;
        kind.free_blocks -= shapes[size_class].blocks;
        upstream_->deallocate(home, slab_size, slab_size);
    }
}

slab_resource::slab* slab_resource::add_slab(std::size_t size_class) {
    const std::size_t size = shapes[size_class].bytes;
    void* const memory = upstream_->allocate(size, size);
    auto* const fresh = ::new (memory) slab{nullptr, nullptr, nullptr, header_bytes, 0};
    link(fresh, size_class);
    ++families_[size_class].slabs;
    families_[size_class].free_blocks += shapes[size_class].blocks;
    return fresh;
}

std::uint64_t slab_resource::reclaimable() const noexcept {
    std::uint64_t bytes = 0;
    for (std::size_t size_class = 0; size_class < classes; ++size_class) {
        const auto& shape = shapes[size_class];
        bytes += families_[size_class].free_blocks / shape.blocks * shape.bytes;
    }
    return bytes;
}

// A class whose free blocks would fill a slab: then the others have room for what is in one of its
// slabs, whichever it is.
std::size_t slab_resource::class_to_compact(unsigned free_percent) const noexcept {
    std::size_t size_class = 0;
    for (; size_class < classes; ++size_class) {
        const auto& each = families_[size_class];
        const auto blocks = each.slabs * shapes[size_class].blocks;
        if (each.free_blocks >= shapes[size_class].blocks &&
            each.free_blocks * 100 >= blocks * free_percent) {
            break;
        }
    }
    return size_class;
}

slab_resource::slab* slab_resource::emptiest(std::size_t size_class) const noexcept {
    slab* best = families_[size_class].with_room;
    slab* each = best;
    for (int looked_at = 0; each != nullptr && looked_at < slabs_looked_at_max; ++looked_at) {
        best = each->used < best->used ? each : best;
        each = each->next;
    }
    return best;
}

bool slab_resource::compact_class(std::size_t size_class, void* call, mover move) noexcept {
    if (size_class == classes) {
        return false;
    }
    slab* const victim = emptiest(size_class);
    const auto size = size_of_class(size_class);
    char* const blocks = victim->bytes() + header_bytes;
    std::bitset<blocks_in_slab_max> idle;
    for (const auto* each = victim->free; each != nullptr; each = each->next) {
        idle.set(static_cast<std::size_t>(reinterpret_cast<const char*>(each) - blocks) / size);
    }
    const auto begun = (victim->fresh - header_bytes) / size;
    // Without its free blocks it is full, and none of the new ones is taken from it.
    unlink(victim, size_class);
    victim->free = nullptr;
    victim->fresh = shapes[size_class].bytes;
    const auto for_each_in_use = [&](auto act) {
        for (std::size_t i = 0; i < begun; ++i) {
            if (!idle[i]) {
                act(blocks + i * size);
            }
        }
    };
    for_each_in_use(
        [&](char* block) { move(call, block, static_cast<char*>(do_allocate(size, small_step))); });
    for_each_in_use([&](char* block) { do_deallocate(block, size, small_step); });
    return true;
}

void slab_resource::link(slab* entry, std::size_t size_class) noexcept {
    entry->previous = nullptr;
    entry->next = families_[size_class].with_room;
    if (entry->next != nullptr) {
        entry->next->previous = entry;
    }
    families_[size_class].with_room = entry;
}

void slab_resource::unlink(slab* entry, std::size_t size_class) noexcept {
    (entry->previous == nullptr ? families_[size_class].with_room : entry->previous->next) =
        entry->next;
    if (entry->next != nullptr) {
        entry->next->previous = entry->previous;
    }
}

}  // namespace butterdb
