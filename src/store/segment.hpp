#pragma once

#include <butterdb/base/assert.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace butterdb {

/// How a 64-bit hash is used:
///
///     | 63 .. 32: which segment, as many top bits as its depth | 31 .. 16: tag | 15 .. 0: bucket |
///
/// A slot points at an entry:
///
///     | 63 .. 48: tag | 47 .. 3: address of the entry, a multiple of 8 | flags |      0: empty
class slot {
public:
    static constexpr std::uint64_t visited = 1;       ///< read since the eviction hand passed
    static constexpr std::uint64_t displaced = 2;     ///< in the bucket behind its own
    static constexpr std::uint64_t has_deadline = 4;  ///< the entry has one

    constexpr slot() noexcept = default;
    slot(std::uint64_t hash, char* entry, std::uint64_t flags) noexcept
        : bits_((hash & 0xffff0000U) << 32 | reinterpret_cast<std::uintptr_t>(entry) | flags) {
        BUTTERDB_ASSERT((reinterpret_cast<std::uintptr_t>(entry) & ~address_bits) == 0);
    }

    bool empty() const noexcept { return bits_ == 0; }
    bool has_tag_of(std::uint64_t hash) const noexcept {
        return bits_ >> 48 == (hash >> 16 & 0xffff);
    }
    bool is(std::uint64_t flag) const noexcept { return (bits_ & flag) != 0; }
    void set(std::uint64_t flag) noexcept { bits_ |= flag; }
    void clear(std::uint64_t flag) noexcept { bits_ &= ~flag; }
    char* entry() const noexcept { return reinterpret_cast<char*>(bits_ & address_bits); }
    /// The same entry, moved.
    void point_at(char* entry) noexcept {
        bits_ = (bits_ & ~address_bits) | reinterpret_cast<std::uintptr_t>(entry);
    }

private:
    static constexpr std::uint64_t address_bits = 0x0000'7fff'ffff'fff8;

    std::uint64_t bits_ = 0;
};

/// One cache line.
struct alignas(64) bucket {
    static constexpr std::size_t slots = 8;

    std::array<slot, slots> at;

    slot* free_slot() noexcept {
        for (auto& each : at) {
            if (each.empty()) {
                return &each;
            }
        }
        return nullptr;
    }
    std::size_t used() const noexcept {
        std::size_t count = 0;
        for (const auto& each : at) {
            count += each.empty() ? 0U : 1U;
        }
        return count;
    }
};

/// The slots of two neighbouring buckets that may hold an entry with this hash: bit 4 n + 3 for
/// slot n. Without branches: which slot it is cannot be foretold, and a wrong guess would keep the
/// processor from going on while it waits for memory.
inline std::uint64_t tagged_slots(std::uint64_t hash, const bucket* pair) noexcept {
    std::uint64_t found = 0;
#ifdef __SSE2__
    const auto tag = _mm_set1_epi16(static_cast<short>(hash >> 16));
    const auto* const lines = reinterpret_cast<const __m128i*>(pair);
    for (std::size_t four = 0; four < 4; ++four) {
        // Of each slot, four bytes stay, of which the last is that of the tag.
        const auto low = _mm_cmpeq_epi16(_mm_load_si128(lines + 2 * four), tag);
        const auto high = _mm_cmpeq_epi16(_mm_load_si128(lines + 2 * four + 1), tag);
        const auto bytes = static_cast<unsigned>(_mm_movemask_epi8(_mm_packs_epi16(low, high)));
        found |= std::uint64_t{bytes} << (16 * four);
    }
    return found & 0x8888'8888'8888'8888;
#else
    for (unsigned i = 0; i < 2 * bucket::slots; ++i) {
        const auto& each = pair[i / bucket::slots].at[i % bucket::slots];
        found |= (each.has_tag_of(hash) ? std::uint64_t{8} : 0) << (4 * i);
    }
    return found;
#endif
}

/// The slot of the lowest bit.
template <typename Bucket>
auto& first_slot(Bucket* pair, std::uint64_t tagged) noexcept {
    const auto number = static_cast<unsigned>(std::countr_zero(tagged)) / 4;
    return pair[number / bucket::slots].at[number % bucket::slots];
}

/// The entries whose hashes begin with the same `depth` bits. An entry lies in the bucket that its
/// hash names, or, when that is full, in the one behind it; the last bucket is only such a second
/// one. Entries only ever move to a bucket behind: a scan in order of buckets meets each of them.
///
/// A segment that is full is split. Where that would not help (too many equal hashes), it gets
/// another segment behind it, searched in turn.
struct segment {
    static constexpr std::size_t own_buckets = 40;
    static constexpr std::size_t buckets = own_buckets + 1;
    static constexpr std::size_t slots = buckets * bucket::slots;

    std::uint32_t depth = 0;
    std::uint32_t used = 0;  ///< slots of this one, without those behind
    segment* behind = nullptr;
    std::array<bucket, buckets> at{};

    static constexpr std::size_t bucket_of(std::uint64_t hash) noexcept {
        return (hash & 0xffff) * own_buckets >> 16;
    }

    /// Puts an entry in. False when both its buckets are full and nothing can move over.
    bool insert(std::uint64_t hash, char* entry, std::uint64_t flags) noexcept {
        const auto home = bucket_of(hash);
        slot* place = at[home].free_slot();
        if (place == nullptr) {
            flags |= slot::displaced;
            place = at[home + 1].free_slot();
        }
        if (place == nullptr && home + 2 < buckets) {
            place = make_room(home + 1);
        }
        if (place == nullptr) {
            return false;
        }
        *place = slot(hash, entry, flags);
        ++used;
        return true;
    }

private:
    // Buckets that may hand an entry on to the next to make room for one.
    static constexpr std::size_t moves_max = 12;

    // Moves one of a full bucket's own entries to the bucket behind it, where first the same may
    // have to happen; gives the free slot.
    slot* make_room(std::size_t full) noexcept {
        std::size_t last = full + 1;
        while (last < buckets && last <= full + moves_max && at[last].free_slot() == nullptr) {
            ++last;
        }
        if (last == buckets || last > full + moves_max) {
            return nullptr;
        }
        for (slot* free = at[last].free_slot();; --last) {
            slot* const own = own_entry(at[last - 1]);
            if (own == nullptr) {
                return nullptr;
            }
            *free = *own;
            free->set(slot::displaced);
            *own = slot();
            if (last - 1 == full) {
                return own;
            }
            free = own;
        }
    }

    static slot* own_entry(bucket& in) noexcept {
        for (auto& each : in.at) {
            if (!each.is(slot::displaced)) {
                return &each;
            }
        }
        return nullptr;
    }
};

static_assert(sizeof(bucket) == 64 && sizeof(segment) == 64 * (segment::buckets + 1));

}  // namespace butterdb
