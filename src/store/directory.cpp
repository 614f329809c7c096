#include "directory.hpp"

#include <algorithm>
#include <new>
#include <utility>

namespace butterdb {

namespace {

// Bounds the places of the directory by the segments in it, so that hashes which do not differ in
// their top bits cannot blow it up. Random hashes need 2 to 3 times as many places as segments.
constexpr std::size_t places_per_segment_max = 8;
constexpr std::size_t places_free = 64;

// Two halves are joined when they fill no more than this: far from being split again.
constexpr std::size_t joined_slots_max = segment::slots * 35 / 100;

// Every place stands twice side by side in the first `count` ones: half of them would do.
template <typename Places>
bool all_in_pairs(const Places& places, std::size_t count) noexcept {
    for (std::size_t i = 0; i < count; i += 2) {
        if (places[i] != places[i + 1]) {
            return false;
        }
    }
    return true;
}

template <typename Places>
void double_places(Places& places, std::size_t count) noexcept {
    for (std::size_t i = count; i-- > 0;) {
        places[2 * i] = places[2 * i + 1] = places[i];
    }
}

template <typename Places>
void halve_places(Places& places, std::size_t count) noexcept {
    for (std::size_t i = 0; i < count / 2; ++i) {
        places[i] = places[2 * i];
    }
}

bool fit_together(const segment& a, const segment& b) noexcept {
    if (a.used + b.used > joined_slots_max) {
        return false;
    }
    for (std::size_t i = 0; i < segment::buckets; ++i) {
        if (a.at[i].used() + b.at[i].used() > bucket::slots) {
            return false;
        }
    }
    return true;
}

void move_all(segment& from, segment& to) noexcept {
    for (std::size_t i = 0; i < segment::buckets; ++i) {
        for (auto& each : from.at[i].at) {
            if (!each.empty()) {
                *to.at[i].free_slot() = each;
                each = slot();
            }
        }
    }
    to.used += from.used;
    from.used = 0;
}

}  // namespace

directory::directory(std::pmr::memory_resource& memory)
    : memory_(&memory), root_(::new (memory.allocate(sizeof(root), alignof(root))) root) {
    try {
        provide_spares();
        start();
        provide_spares();
    } catch (...) {
        free_all();
        throw;
    }
}

directory::~directory() {
    free_all();
}

void directory::free_all() noexcept {
    BUTTERDB_ASSERT(!has_garbage());
    page* pages = segments_ == 0 ? nullptr : unlink_all();
    while (segment* const part = take_segment(pages)) {
        free_segment(part);
    }
    free_spares();
    memory_->deallocate(root_, sizeof(root), alignof(root));
}

segment* directory::new_segment() {
    return ::new (memory_->allocate(sizeof(segment), alignof(segment))) segment;
}

directory::page* directory::new_page() {
    return ::new (memory_->allocate(sizeof(page), alignof(page))) page;
}

// As many empty segments as are in a chain.
segment* directory::new_chain_like(const segment& first) {
    auto* const chain = new_segment();
    try {
        auto* last = chain;
        for (const auto* part = first.behind; part != nullptr; part = part->behind) {
            last->behind = new_segment();
            last = last->behind;
        }
    } catch (...) {
        free_chain(chain);
        throw;
    }
    return chain;
}

void directory::free_chain(segment* first) noexcept {
    while (first != nullptr) {
        free_segment(std::exchange(first, first->behind));
    }
}

void directory::free_segment(segment* empty) noexcept {
    memory_->deallocate(empty, sizeof(segment), alignof(segment));
}

void directory::free_page(page* empty) noexcept {
    memory_->deallocate(empty, sizeof(page), alignof(page));
}

void directory::free_spares() noexcept {
    if (spare_segment_ != nullptr) {
        free_segment(std::exchange(spare_segment_, nullptr));
    }
    if (spare_page_ != nullptr) {
        free_page(std::exchange(spare_page_, nullptr));
    }
}

void directory::renew_spares() noexcept {
    free_spares();
    end_garbage();
}

// What was taken out of the garbage would keep its slab: the reserve is made when that is gone.
void directory::end_garbage() noexcept {
    try {
        provide_spares();
    } catch (const std::bad_alloc&) {
        return;  // set_aside tries again
    }
}

void directory::provide_spares() {
    if (spare_segment_ == nullptr) {
        spare_segment_ = new_segment();
    }
    if (spare_page_ == nullptr) {
        spare_page_ = new_page();
    }
}

// Makes the spares the whole directory.
void directory::start() noexcept {
    root_bits_ = 0;
    places_ = 1;
    segments_ = 1;
    (*root_)[0] = std::exchange(spare_page_, nullptr);
    (*root_)[0]->at[0] = std::exchange(spare_segment_, nullptr);
}

void directory::set_aside() {
    provide_spares();
    page* pages = unlink_all();
    while (pages != nullptr) {
        auto* const rest = pages->next;
        pages->next = std::exchange(garbage_, pages);
        pages = rest;
    }
    start();
}

// All pages as a list; the root then points at none that it may use.
directory::page* directory::unlink_all() noexcept {
    page* first = nullptr;
    const auto count = std::size_t{1} << root_bits_;
    for (std::size_t i = 0; i < count;) {
        auto* const each = (*root_)[i];
        each->next = first;
        first = each;
        i += std::size_t{1} << (root_bits_ - each->depth);
    }
    return first;
}

segment* directory::take_segment(page*& pages) noexcept {
    while (pages != nullptr && pages->taken == pages->places()) {
        free_page(std::exchange(pages, pages->next));
    }
    if (pages == nullptr) {
        return nullptr;
    }
    auto*& place = pages->at[pages->taken];
    auto* const part = place;
    if (part->behind != nullptr) {
        place = std::exchange(part->behind, nullptr);
    } else {
        pages->taken += 1U << (pages->depth + pages->bits - part->depth);
    }
    return part;
}

void directory::add_behind(segment& last) {
    last.behind = new_segment();
    last.behind->depth = last.depth;
}

void directory::drop_empty_behind(segment& first) noexcept {
    for (auto* part = &first; part->behind != nullptr;) {
        if (part->behind->used == 0) {
            drop_behind(*part);
        } else {
            part = part->behind;
        }
    }
}

void directory::drop_behind(segment& last) noexcept {
    auto* const empty = last.behind;
    BUTTERDB_ASSERT(empty->used == 0);
    last.behind = empty->behind;
    free_segment(empty);
}

// Lets the page of `hash` tell segments of this depth apart. False when it may not grow so far.
bool directory::make_deep(std::uint64_t hash, unsigned depth) {
    for (;;) {
        auto& in = page_of(hash);
        if (in.depth + in.bits >= depth) {
            return true;
        }
        if (in.bits < page_bits_max) {
            if (places_ + in.places() > places_per_segment_max * segments_ + places_free) {
                return false;
            }
            double_page(in);
        } else if (in.depth < root_bits_max) {
            split_page(hash);
        } else {
            return false;
        }
    }
}

void directory::double_page(page& in) noexcept {
    double_places(in.at, in.places());
    places_ += in.places();
    ++in.bits;
}

// Gives places back that say nothing.
void directory::halve_page(page& in) noexcept {
    while (in.bits > 0 && all_in_pairs(in.at, in.places())) {
        halve_places(in.at, in.places());
        --in.bits;
        places_ -= in.places();
    }
}

// A full page becomes two, each with half of its places.
void directory::split_page(std::uint64_t hash) {
    auto& lower = page_of(hash);
    auto& upper = *new_page();
    if (lower.depth == root_bits_) {
        double_places(*root_, std::size_t{1} << root_bits_);
        ++root_bits_;
    }
    const auto bit = std::uint64_t{1} << (63 - lower.depth);
    --lower.bits;
    ++lower.depth;
    upper.bits = lower.bits;
    upper.depth = lower.depth;
    std::copy_n(
        lower.at.begin() + static_cast<std::ptrdiff_t>(lower.places()),
        lower.places(),
        upper.at.begin());
    set_all(hash | bit, upper);
}

// All places of a page that belong to a segment, whose prefix is that of `hash`.
void directory::set_all(page& in, std::uint64_t hash, segment& part) noexcept {
    const auto spare_bits = in.depth + in.bits - part.depth;
    const auto first = top_bits(hash << in.depth, in.bits) >> spare_bits << spare_bits;
    std::fill_n(
        in.at.begin() + static_cast<std::ptrdiff_t>(first), std::size_t{1} << spare_bits, &part);
}

// All places of the root that belong to a page.
void directory::set_all(std::uint64_t hash, page& in) noexcept {
    const auto spare_bits = root_bits_ - in.depth;
    const auto first = top_bits(hash, root_bits_) >> spare_bits << spare_bits;
    std::fill_n(
        root_->begin() + static_cast<std::ptrdiff_t>(first), std::size_t{1} << spare_bits, &in);
}

void directory::place_upper(std::uint64_t hash, segment& lower, segment& upper) noexcept {
    const auto bit = std::uint64_t{1} << (63 - lower.depth);
    const auto depth = lower.depth + 1;
    for (auto* each : {&lower, &upper}) {
        drop_empty_behind(*each);
        for (auto* part = each; part != nullptr; part = part->behind) {
            part->depth = depth;
        }
    }
    set_all(page_of(hash), hash | bit, upper);
    ++segments_;
}

void directory::shrink(std::uint64_t hash) noexcept {
    while (join_segments(hash)) {
    }
}

bool directory::join_segments(std::uint64_t hash) noexcept {
    auto& part = find(hash);
    if (part.depth == 0 || (part.depth == page_of(hash).depth && !join_pages(hash))) {
        return false;
    }
    const auto bit = std::uint64_t{1} << (64 - part.depth);
    auto& lower = find(hash & ~bit);
    auto& upper = find(hash | bit);
    if (lower.depth != upper.depth || lower.behind != nullptr || upper.behind != nullptr ||
        !fit_together(lower, upper)) {
        return false;
    }
    move_all(upper, lower);
    --lower.depth;
    auto& in = page_of(hash);
    set_all(in, hash, lower);
    free_segment(&upper);
    --segments_;
    halve_page(in);
    return true;
}

// Joins the page of `hash` with its other half when that leaves room to grow.
bool directory::join_pages(std::uint64_t hash) noexcept {
    const auto depth = page_of(hash).depth;
    if (depth == 0) {
        return false;
    }
    const auto bit = std::uint64_t{1} << (64 - depth);
    auto& lower = page_of(hash & ~bit);
    auto& upper = page_of(hash | bit);
    if (lower.depth != upper.depth || std::max(lower.bits, upper.bits) > page_bits_max - 2) {
        return false;
    }
    while (lower.bits < upper.bits) {
        double_page(lower);
    }
    while (upper.bits < lower.bits) {
        double_page(upper);
    }
    std::copy_n(
        upper.at.begin(),
        upper.places(),
        lower.at.begin() + static_cast<std::ptrdiff_t>(lower.places()));
    --lower.depth;
    ++lower.bits;
    set_all(hash, lower);
    free_page(&upper);
    halve_page(lower);
    while (root_bits_ > 0 && all_in_pairs(*root_, std::size_t{1} << root_bits_)) {
        halve_places(*root_, std::size_t{1} << root_bits_);
        --root_bits_;
    }
    return true;
}

}  // namespace butterdb
