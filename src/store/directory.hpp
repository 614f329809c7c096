#pragma once

#include "segment.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <utility>

namespace butterdb {

/// Finds the segment of a hash by its top bits, in two steps, so that no growth copies more than a
/// page: the root's bits choose a page, the next ones a segment in it.
///
///     root, 2 bits   | page 00 | page 01 | page 1x | page 1x |      the last has depth 1
///                                 |
///     page, 2 bits                `--> | 0100 | 0101 | 011x | 011x |      its segments
///
/// Extendible hashing (Fagin, Nievergelt, Pippenger, Strong 1979), twice: a segment of depth d
/// stands in all places whose numbers begin with its d bits; splitting it needs no other to change.
///
/// Invariants: page.depth <= root bits; segment.depth <= page.depth + page.bits; the last only up
/// to `depth_max`. Segments are owned, entries are not.
class directory {
public:
    static constexpr unsigned page_bits_max = 10;
    static constexpr unsigned root_bits_max = 12;
    static constexpr unsigned depth_max = page_bits_max + root_bits_max;

    struct page {
        std::uint32_t depth = 0;  ///< bits that the root used
        std::uint32_t bits = 0;   ///< bits that this page uses
        std::uint32_t taken = 0;  ///< places that take_segment has emptied
        page* next = nullptr;     ///< in a list of pages to be disposed of

        std::size_t places() const noexcept { return std::size_t{1} << bits; }
        std::array<segment*, std::size_t{1} << page_bits_max> at;
    };

    /// Begins with one empty segment. Throws std::bad_alloc.
    explicit directory(std::pmr::memory_resource& memory);
    directory(const directory&) = delete;
    directory& operator=(const directory&) = delete;
    /// The segments hold no entry any more.
    ~directory();

    segment& find(std::uint64_t hash) const noexcept { return *place_of(page_of(hash), hash); }

    /// Splits the segment of `hash`, with those behind it. `hash_of` gives an entry's hash. False
    /// when it cannot be split: too deep, or the directory would become too large for what it
    /// holds. Throws std::bad_alloc; then no entry has moved.
    template <typename HashOf>
    bool split(std::uint64_t hash, HashOf hash_of) {
        auto& full = find(hash);
        if (!make_deep(hash, full.depth + 1)) {
            return false;
        }
        auto& upper = *new_chain_like(full);
        const auto bit = std::uint64_t{1} << (63 - full.depth);
        auto* to = &upper;
        for (auto* part = &full; part != nullptr; part = part->behind, to = to->behind) {
            move_some(*part, *to, [&](const slot& each) { return (hash_of(each) & bit) != 0; });
        }
        place_upper(hash, full, upper);
        return true;
    }

    /// Joins the segment of `hash` with its other half, and so on upwards, while both are nearly
    /// empty. Allocates nothing.
    void shrink(std::uint64_t hash) noexcept;

    /// Puts a segment behind `last`. Throws std::bad_alloc.
    void add_behind(segment& last);
    /// Takes the empty segments behind `first` away.
    void drop_empty_behind(segment& first) noexcept;

    /// Sets everything aside as garbage and begins anew with one empty segment, kept in reserve for
    /// this unless the last time is too near. Throws std::bad_alloc when there is no reserve and no
    /// memory; then nothing has changed.
    void set_aside();
    /// Takes the reserve anew: in an empty store from where its one segment is, as at the start.
    void renew_spares() noexcept;
    bool has_garbage() const noexcept { return garbage_ != nullptr || garbage_part_ != nullptr; }
    /// Frees what one bucket of the garbage held: calls `free_entry` for its slots.
    template <typename FreeEntry>
    void dispose_bucket(FreeEntry free_entry) noexcept {
        if (garbage_part_ == nullptr) {
            garbage_part_ = take_segment(garbage_);
            garbage_bucket_ = 0;
            if (garbage_part_ == nullptr) {
                end_garbage();
            }
            return;
        }
        if (garbage_bucket_ + 1 < segment::buckets) {
            prefetch_entries(garbage_part_->at[garbage_bucket_ + 1]);
        }
        for (const auto& each : garbage_part_->at[garbage_bucket_].at) {
            if (!each.empty()) {
                free_entry(each);
            }
        }
        if (++garbage_bucket_ == segment::buckets) {
            free_segment(std::exchange(garbage_part_, nullptr));
        }
    }

    std::size_t segments() const noexcept { return segments_; }

private:
    using root = std::array<page*, std::size_t{1} << root_bits_max>;

    // So that the waits for entries overlap.
    static void prefetch_entries(const bucket& in) noexcept {
        for (const auto& each : in.at) {
            __builtin_prefetch(each.entry());
        }
    }
    // Moves entries to the same places of another segment.
    template <typename Chosen>
    static void move_some(segment& from, segment& to, Chosen chosen) {
        for (const auto& each : from.at) {
            prefetch_entries(each);
        }
        for (std::size_t b = 0; b < segment::buckets; ++b) {
            for (std::size_t s = 0; s < bucket::slots; ++s) {
                auto& each = from.at[b].at[s];
                if (!each.empty() && chosen(each)) {
                    to.at[b].at[s] = each;
                    each = slot();
                    --from.used;
                    ++to.used;
                }
            }
        }
    }
    static std::size_t top_bits(std::uint64_t hash, unsigned bits) noexcept {
        return hash >> 1 >> (63 - bits);  // which is defined for 0 bits, too
    }
    page& page_of(std::uint64_t hash) const noexcept {
        return *(*root_)[top_bits(hash, root_bits_)];
    }
    static segment*& place_of(page& in, std::uint64_t hash) noexcept {
        return in.at[top_bits(hash << in.depth, in.bits)];
    }

    segment* take_segment(page*& pages) noexcept;
    segment* new_segment();
    segment* new_chain_like(const segment& first);
    void free_chain(segment* first) noexcept;
    void drop_behind(segment& last) noexcept;
    void free_spares() noexcept;
    void free_segment(segment* empty) noexcept;
    page* new_page();
    void end_garbage() noexcept;
    void free_page(page* empty) noexcept;
    bool make_deep(std::uint64_t hash, unsigned depth);
    void split_page(std::uint64_t hash);
    void place_upper(std::uint64_t hash, segment& lower, segment& upper) noexcept;
    static void set_all(page& in, std::uint64_t hash, segment& part) noexcept;
    void set_all(std::uint64_t hash, page& in) noexcept;
    void double_page(page& in) noexcept;
    void halve_page(page& in) noexcept;
    bool join_segments(std::uint64_t hash) noexcept;
    bool join_pages(std::uint64_t hash) noexcept;
    void start() noexcept;
    page* unlink_all() noexcept;
    void free_all() noexcept;
    void provide_spares();

    std::pmr::memory_resource* memory_;
    root* root_;
    unsigned root_bits_ = 0;
    std::size_t places_ = 0;  // of all pages that the root knows
    std::size_t segments_ = 0;
    page* spare_page_ = nullptr;  // for set_aside
    segment* spare_segment_ = nullptr;
    page* garbage_ = nullptr;
    segment* garbage_part_ = nullptr;  // of which garbage_bucket_ is the next to free
    std::size_t garbage_bucket_ = 0;
};

}  // namespace butterdb
