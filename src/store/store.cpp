#define XXH_INLINE_ALL
#define XXH_STATIC_LINKING_ONLY
#include "directory.hpp"
#include "entry.hpp"
#include "segment.hpp"
#include <butterdb/base/limits.hpp>
#include <butterdb/store/store.hpp>

#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>
#include <utility>

namespace butterdb {

namespace {

// A segment fuller than this is split when an entry finds no place; an emptier one gets a segment
// behind it: then it is not the number of entries that fills its buckets.
constexpr std::size_t split_slots_min = segment::slots / 8;

// A segment this empty is joined with its other half, tried at every fourth deletion.
constexpr std::size_t join_slots_max = segment::slots / 5;

// Buckets that one call may free or look through to make room.
constexpr std::size_t dispose_buckets = 64;
constexpr std::size_t evict_buckets_max = 256;

// Buckets that a step of a walk may look at, however few entries were asked for: two segments.
constexpr std::size_t scan_buckets_free = 2 * segment::buckets;

// Buckets that random_entry looks through for an entry that is not past its deadline.
constexpr std::size_t random_buckets_max = 16'384;

// What one put may evict beyond 8 times its own size: slabs of many kinds of entries become free
// one by one.
constexpr std::size_t evict_bytes_free = 1 * MiB;

// Slabs of a kind are emptied when this share of their blocks is free; for a put at the ceiling,
// whenever one can be.
constexpr unsigned compact_percent = 25;

// Sweeping keeps pace with puts: a bucket for each, many when this share of entries with a deadline
// is found past it (5 %), so that they are at most 10 % of all. When hardly any are (1 %), one for
// every so many puts: its entries have to come from memory. Not where there are few entries: they
// are in the cache, and too many of them would be past their deadline before one is found.
constexpr unsigned sweep_many_buckets = 4;
constexpr unsigned sweep_many_share = 20;
constexpr unsigned sweep_few_puts = 8;
constexpr unsigned sweep_few_share = 100;
constexpr std::size_t sweep_few_entries_min = 16'384;
constexpr unsigned sweep_memory = 256;  // entries that the share is taken of

// Buckets that one sweep evicts, or slabs that it empties, under a ceiling that has been lowered.
constexpr unsigned ceiling_steps_max = 16;

// Memory that one sweep gives back to the system, which takes its time for it.
constexpr std::uint64_t sweep_bytes_max = 2 * MiB;

// A cursor is a position in a walk by hash prefix and bucket:
//
//     | 0 | 35 .. 14: prefix | 13 .. 8: depth of the segment that was entered | 7 .. 0: bucket |
//
// The depth tells where that segment ended if it has been joined with another since. Cursors stay
// below 2^53: some clients keep them as floating-point numbers.
struct cursor_parts {
    std::uint64_t prefix;
    unsigned depth;
    std::size_t bucket;

    static constexpr unsigned prefix_shift = 14;
    static constexpr unsigned unused_bits = 64 - directory::depth_max;

    explicit cursor_parts(std::uint64_t cursor) noexcept
        : prefix(cursor >> prefix_shift << unused_bits),
          depth(std::min<unsigned>(cursor >> 8 & 0x3f, directory::depth_max)),
          bucket(std::min<std::size_t>(cursor & 0xff, segment::buckets - 1)) {}

    std::uint64_t next(const segment& in) const noexcept {
        const auto deepest = bucket == 0 ? in.depth : std::max(depth, in.depth);
        if (bucket + 1 < segment::buckets) {
            return cursor_of(prefix) | std::uint64_t{deepest} << 8 | (bucket + 1);
        }
        return deepest == 0 ? 0 : cursor_of(((prefix >> (64 - deepest)) + 1) << (64 - deepest));
    }

    static std::uint64_t cursor_of(std::uint64_t hash) noexcept {
        return hash >> unused_bits << prefix_shift;
    }
};

std::uint64_t flags_of(time_point deadline) noexcept {
    return deadline == no_deadline ? 0 : slot::has_deadline;
}

bool is_past(const slot& at, time_point now) noexcept {
    return at.is(slot::has_deadline) && read_entry(at.entry()).deadline <= now;
}

// What the block of an entry holds.
std::size_t room_of(const slot& at) noexcept {
    return slab_resource::block_size(read_entry(at.entry()).bytes);
}

store::entry as_seen(const entry_view& found) noexcept {
    return {found.key, found.value, found.deadline, slab_resource::block_size(found.bytes)};
}

segment& last_of(segment& first) noexcept {
    auto* part = &first;
    while (part->behind != nullptr) {
        part = part->behind;
    }
    return *part;
}

}  // namespace

hash_secret::hash_secret(std::uint64_t seed) noexcept {
    static_assert(sizeof bytes_ >= XXH3_SECRET_SIZE_MIN);
    // It fails only for a buffer that is too small.
    XXH3_generateSecret(bytes_.data(), bytes_.size(), &seed, sizeof seed);
}

// Flattened, since with _FORTIFY_SOURCE=3 xxHash's reads of 8 bytes are calls otherwise: 100
// instructions of a GET.
[[gnu::flatten]] std::uint64_t secret_hash(
    std::string_view key, const hash_secret& secret) noexcept {
    return XXH3_64bits_withSecret(
        key.data(), key.size(), secret.bytes().data(), secret.bytes().size());
}

store::store(std::pmr::memory_resource& memory, const store_options& options)
    : budget_(memory, options.ceiling),
      slab_(budget_),
      index_slab_(budget_),
      index_(std::make_unique<directory>(index_slab_)),
      bytes_when_empty_(budget_.bytes_used()),
      hash_(options.hash),
      secret_(options.seed),
      eviction_(options.eviction) {}

store::~store() {
    clear();
    while (dispose(dispose_buckets)) {
    }
}

std::uint64_t store::hash_of(const slot& at) const noexcept {
    return hash_of(read_entry(at.entry()).key);
}

// The first slot that may hold an entry with this hash and for which wanted(slot) holds.
template <typename Wanted>
store::place store::find_slot(std::uint64_t hash, Wanted wanted) const noexcept {
    const auto home = segment::bucket_of(hash);
    for (auto* part = &index_->find(hash); part != nullptr; part = part->behind) {
        auto* const in = &part->at[home];
        for (auto tagged = tagged_slots(hash, in); tagged != 0; tagged &= tagged - 1) {
            auto& each = first_slot(in, tagged);
            if (!each.empty() && wanted(each)) {
                return {part, &each};
            }
        }
    }
    return {nullptr, nullptr};
}

store::place store::find_place(std::string_view key, std::uint64_t hash) const noexcept {
    return find_slot(hash, [&](const slot& each) { return read_entry(each.entry()).key == key; });
}

// Meets an entry past its deadline by deleting it.
store::place store::find_live(std::string_view key, std::uint64_t hash, time_point now) {
    const auto found = find_place(key, hash);
    if (found.at == nullptr || !is_past(*found.at, now)) {
        return found;
    }
    remove(*found.part, *found.at);
    tidy(hash);
    ++expired_;
    return {nullptr, nullptr};
}

// What is read has a second chance against eviction.
store::place store::find_read(std::string_view key, time_point now) {
    const auto found = find_live(key, hash_of(key), now);
    if (found.at != nullptr && eviction_ == eviction::clock) {
        found.at->set(slot::visited);
    }
    return found;
}

std::optional<store::entry> store::find(std::string_view key, time_point now) {
    const auto found = find_read(key, now);
    if (found.at == nullptr) {
        return std::nullopt;
    }
    return as_seen(read_entry(found.at->entry()));
}

std::optional<std::string_view> store::get(std::string_view key, time_point now) {
    const auto found = find_read(key, now);
    return found.at == nullptr ? std::nullopt : std::optional(read_entry(found.at->entry()).value);
}

void store::prefetch_bucket(std::uint64_t hash) const noexcept {
    const auto* const home = &index_->find(hash).at[segment::bucket_of(hash)];
    __builtin_prefetch(home);
    __builtin_prefetch(home + 1);
}

void store::fetch_expected() noexcept {
    for (std::size_t i = 0; i < expected_count_; ++i) {
        const auto* const home = &index_->find(expected_[i]).at[segment::bucket_of(expected_[i])];
        const auto tagged = tagged_slots(expected_[i], home);
        if (tagged != 0) {
            __builtin_prefetch(first_slot(home, tagged).entry());
        }
    }
    prefetched_ += expected_count_;
    expected_count_ = 0;
}

bool store::put(std::string_view key, std::string_view value, time_point now, time_point deadline) {
    pace_sweep(now);
    const auto hash = hash_of(key);
    const entry_parts fresh{key, value, deadline};
    if (value.size() > entry_value_bytes_max) {
        return false;
    }
    const auto bytes = fresh.bytes();
    auto found = find_live(key, hash, now);
    if (found.at != nullptr && room_of(*found.at) == slab_resource::block_size(bytes)) {
        write_over(*found.at, fresh, bytes);
        return true;
    }
    try {
        homeless_ = new_block(key, found.at, bytes, now);
        write_entry(homeless_, fresh, bytes);
        found = find_place(key, hash);  // making room may have moved it
        if (found.at == nullptr) {
            insert(hash, flags_of(deadline), now);
        } else {
            swap_block(*found.at, hash, homeless_, deadline);
        }
        homeless_ = nullptr;
        return true;
    } catch (const std::bad_alloc&) {
        if (homeless_ != nullptr) {
            slab_.deallocate(std::exchange(homeless_, nullptr), bytes, 1);
            return false;
        }
    }
    found = find_place(key, hash);
    if (found.at == nullptr || bytes + slack_field_bytes > room_of(*found.at)) {
        return false;
    }
    write_over(*found.at, fresh, room_of(*found.at));
    return true;
}

bool store::set_deadline(std::string_view key, time_point deadline, time_point now) {
    pace_sweep(now);
    const auto hash = hash_of(key);
    const auto found = find_live(key, hash, now);
    if (found.at == nullptr) {
        return false;
    }
    if (set_deadline_in_place(*found.at, deadline)) {
        return true;
    }
    try {
        const auto present = read_entry(found.at->entry());
        const auto bytes = entry_parts{present.key, present.value, deadline}.bytes();
        char* const block = new_block(key, found.at, bytes, now);
        auto& at = *find_place(key, hash).at;  // making room may have moved it
        const auto old = read_entry(at.entry());
        write_entry(block, {old.key, old.value, deadline}, bytes);
        swap_block(at, hash, block, deadline);
        return true;
    } catch (const std::bad_alloc&) {
        return false;
    }
}

// False when the block of the entry has no room for a deadline.
bool store::set_deadline_in_place(slot& at, time_point deadline) noexcept {
    const auto found = read_entry(at.entry());
    if (found.deadline == deadline) {
        return true;
    }
    if (overwrite_deadline(at.entry(), deadline)) {
        flag_deadline(at, deadline);
        return true;
    }
    const entry_parts fresh{found.key, found.value, deadline};
    const auto bytes = fresh.bytes();
    const auto room = room_of(at);
    if (bytes > room) {
        return false;
    }
    write_over(at, fresh, slab_resource::block_size(bytes) == room ? bytes : room);
    return true;
}

// A block for the entry of `key`, whose old one is at `present`, if there is one: it stays, but may
// be moved. Throws std::bad_alloc.
char* store::new_block(
    std::string_view key, const slot* present, std::size_t bytes, time_point now) {
    const auto kept = bytes_when_empty_ + (present == nullptr ? 0 : room_of(*present));
    if (slab_resource::block_size(bytes) > ceiling() - std::min(ceiling(), kept)) {
        throw std::bad_alloc();  // and nothing is evicted for what can never fit
    }
    make_room(slab_, bytes, present == nullptr ? nullptr : &key, now);
    return static_cast<char*>(slab_.allocate(bytes, 1));
}

// Gives a slot another block for its entry, and frees the old one.
void store::swap_block(slot& at, std::uint64_t hash, char* block, time_point deadline) noexcept {
    const auto old = at;
    const auto kept = (old.is(slot::displaced) ? slot::displaced : 0) |
                      (old.is(slot::visited) ? slot::visited : 0);
    at = slot(hash, block, flags_of(deadline) | kept);
    expiring_ -= old.is(slot::has_deadline) ? 1U : 0U;
    expiring_ += at.is(slot::has_deadline) ? 1U : 0U;
    free_entry(old);
}

// Replaces an entry in its own block, of which `bytes` are used.
void store::write_over(slot& at, const entry_parts& fresh, std::size_t bytes) noexcept {
    write_entry(at.entry(), fresh, bytes);
    flag_deadline(at, fresh.deadline);
}

// Notes whether the entry of a slot has a deadline now.
void store::flag_deadline(slot& at, time_point deadline) noexcept {
    expiring_ -= at.is(slot::has_deadline) ? 1U : 0U;
    at.clear(slot::has_deadline);
    at.set(flags_of(deadline));
    expiring_ += at.is(slot::has_deadline) ? 1U : 0U;
}

// Finds the homeless entry a place: in its segment, in a half of it, or in one behind it. Throws
// std::bad_alloc, and nothing has changed that anybody sees.
void store::insert(std::uint64_t hash, std::uint64_t flags, time_point now) {
    while (!insert_without_growth(hash, homeless_, flags)) {
        try {
            make_room(index_slab_, sizeof(segment), nullptr, now);
            grow(hash);
        } catch (const std::bad_alloc&) {
            if (eviction_ == eviction::none || !evict_near(hash, now)) {
                throw;
            }
        }
    }
    ++size_;
    expiring_ += (flags & slot::has_deadline) != 0 ? 1U : 0U;
}

// Gives entries with this hash more places.
void store::grow(std::uint64_t hash) {
    auto& first = index_->find(hash);
    const auto entry_hash = [this](const slot& at) { return hash_of(at); };
    if (first.used >= split_slots_min) {
        try {
            if (index_->split(hash, entry_hash)) {
                return;
            }
        } catch (const std::bad_alloc&) {
            // A segment behind it needs less.
        }
    }
    index_->add_behind(last_of(first));
}

bool store::insert_without_growth(
    std::uint64_t hash, char* block, std::uint64_t flags) const noexcept {
    for (auto* part = &index_->find(hash); part != nullptr; part = part->behind) {
        if (part->insert(hash, block, flags)) {
            return true;
        }
    }
    return false;
}

bool store::erase(std::string_view key, time_point now) {
    const auto hash = hash_of(key);
    const auto found = find_live(key, hash, now);
    if (found.at == nullptr) {
        return false;
    }
    remove(*found.part, *found.at);
    tidy(hash);
    return true;
}

// Frees an entry and its slot. The segment stays as it is until `tidy`.
void store::remove(segment& part, slot& at) noexcept {
    expiring_ -= at.is(slot::has_deadline) ? 1U : 0U;
    --size_;
    free_entry(at);
    at = slot();
    --part.used;
}

void store::free_entry(const slot& at) noexcept {
    slab_.deallocate(at.entry(), read_entry(at.entry()).bytes, 1);
}

// After a removal: gives empty segments back.
void store::tidy(std::uint64_t hash) noexcept {
    auto& first = index_->find(hash);
    index_->drop_empty_behind(first);
    if (first.used <= join_slots_max && first.used % 4 == 0) {
        index_->shrink(hash);
    }
    settle();
}

// An empty store takes as much memory as at the start.
void store::settle() noexcept {
    if (size_ == 0 && !index_->has_garbage() && bytes_used() != bytes_when_empty_) {
        index_->renew_spares();
    }
}

void store::clear() {
    for (;;) {
        try {
            index_->set_aside();
            break;
        } catch (const std::bad_alloc&) {
            if (!index_->has_garbage()) {
                erase_all();
                break;
            }
            dispose(dispose_buckets);  // of the last time: that is why there is no reserve
        }
    }
    size_ = 0;
    expiring_ = 0;
    sweep_at_ = 0;
    sweep_seen_ = sweep_found_ = 0;
    evict_at_ = 0;
}

// Deletes one by one, which needs no memory.
void store::erase_all() noexcept {
    for (std::uint64_t cursor = 0; size_ > 0;) {
        const auto hash = cursor_parts(cursor).prefix;
        cursor = walk_bucket(cursor, [&](segment& part, bucket& in) {
            for (auto& each : in.at) {
                if (!each.empty()) {
                    remove(part, each);
                }
            }
        });
        tidy(hash);
    }
}

bool store::dispose(std::size_t buckets) noexcept {
    for (; buckets > 0 && index_->has_garbage(); --buckets) {
        index_->dispose_bucket([this](const slot& each) { free_entry(each); });
    }
    return index_->has_garbage();
}

// At the ceiling, makes room for a block, by eviction if need be, but never of the entry with the
// key `spared`. Throws std::bad_alloc when there is no more to be had.
void store::make_room(
    const slab_resource& slab, std::size_t bytes, const std::string_view* spared, time_point now) {
    auto evictable = 8 * bytes + evict_bytes_free;
    auto second_chances = evict_buckets_max;
    while (slab.growth_for(bytes) > budget_.bytes_left()) {
        const bool in_vain = eviction_ == eviction::none && !index_->has_garbage() &&
                             slab.growth_for(bytes) > budget_.bytes_left() + slab_.reclaimable();
        if (in_vain) {
            throw std::bad_alloc();
        }
        if (regain()) {
            continue;
        }
        const auto freed = evict_bucket(spared, now, second_chances);
        if (freed == 0 || freed > evictable) {
            throw std::bad_alloc();
        }
        evictable -= freed;
    }
}

// Gives memory back that holds no entries: some of what clear left, or else a slab.
bool store::regain() noexcept {
    if (!index_->has_garbage()) {
        return compact(0);
    }
    dispose(dispose_buckets);
    return true;
}

// Lets the hand of the clock go on until it has deleted something, and gives the bytes of that:
// entries that were read since it came by last have a second chance, in so many buckets.
std::size_t store::evict_bucket(
    const std::string_view* spared, time_point now, std::size_t& second_chances) {
    std::size_t freed = 0;
    for (std::size_t walked = 0; size_ > 0 && freed == 0 && walked <= 2 * evict_buckets_max;
         ++walked) {
        const bool second_chance = second_chances > 0;
        second_chances -= second_chance ? 1U : 0U;
        const auto hash = cursor_parts(evict_at_).prefix;
        evict_at_ = walk_bucket(evict_at_, [&](segment& part, bucket& in) {
            for (auto& each : in.at) {
                const bool past = !each.empty() && is_past(each, now);
                if (each.is(slot::visited) && second_chance && !past) {
                    each.clear(slot::visited);
                } else if (!each.empty()) {
                    freed += evict(part, each, spared, past);
                }
            }
        });
        tidy(hash);
    }
    return freed;
}

// Deletes an entry unless it is spared; gives its bytes.
std::size_t store::evict(
    segment& part, slot& at, const std::string_view* spared, bool past) noexcept {
    const auto found = read_entry(at.entry());
    if (spared != nullptr && found.key == *spared) {
        return 0;
    }
    remove(part, at);
    ++(past ? expired_ : evicted_);
    return slab_resource::block_size(found.bytes);
}

// Empties a slab of entries, if there is one to be emptied, and gives it back.
bool store::compact(unsigned free_percent) noexcept {
    return slab_.compact(free_percent, [this](char* from, char* to) {
        const auto moved = read_entry(from);
        std::memcpy(to, from, moved.bytes);
        if (from == homeless_) {
            homeless_ = to;
        } else {
            const auto found = find_slot(
                hash_of(moved.key), [&](const slot& each) { return each.entry() == from; });
            BUTTERDB_ASSERT(found.at != nullptr);
            found.at->point_at(to);
        }
    });
}

// Deletes one entry that stands where one with this hash would: the index cannot grow.
bool store::evict_near(std::uint64_t hash, time_point now) noexcept {
    auto& part = index_->find(hash);
    slot* victim = nullptr;
    for (auto& each : part.at[segment::bucket_of(hash)].at) {
        if (!each.empty() && (victim == nullptr || !each.is(slot::visited))) {
            victim = &each;
        }
        each.clear(slot::visited);
    }
    if (victim == nullptr) {
        return false;
    }
    ++(is_past(*victim, now) ? expired_ : evicted_);
    remove(part, *victim);
    return true;
}

bool store::sweep(time_point now, std::size_t steps) {
    const bool more = sweep_buckets(now, steps) || meet_ceiling(now);
    settle();
    return more || (!index_->has_garbage() && compact(compact_percent));
}

// Under a ceiling that has been lowered: deletes entries, a share of them at a time. True when
// there is more to do.
bool store::meet_ceiling(time_point now) {
    if (eviction_ == eviction::none) {
        return false;
    }
    std::uint64_t freed = 0;
    for (auto steps = ceiling_steps_max; steps > 0 && bytes_used() > ceiling(); --steps) {
        auto second_chances = evict_buckets_max;
        if (!regain()) {
            freed += evict_bucket(nullptr, now, second_chances);
        }
        if (freed > sweep_bytes_max) {
            break;
        }
    }
    return bytes_used() > ceiling() && size_ > 0;
}

bool store::sweep_buckets(time_point now, std::size_t steps) {
    const auto bytes_before = bytes_used();
    for (; steps > 0 && bytes_used() + sweep_bytes_max > bytes_before; --steps) {
        if (index_->has_garbage()) {
            dispose(1);
        } else if (expiring_ == 0) {
            sweep_seen_ = sweep_found_ = 0;
            return false;
        } else {
            sweep_bucket(now);
        }
    }
    return index_->has_garbage() || sweep_found_ * sweep_many_share > sweep_seen_;
}

// As many steps as keep the entries past their deadline few, paid for by who puts new ones in.
void store::pace_sweep(time_point now) {
    if (expiring_ == 0 && !index_->has_garbage()) {
        return;
    }
    const bool many = sweep_found_ * sweep_many_share > sweep_seen_;
    const bool few = sweep_found_ * sweep_few_share < sweep_seen_ &&
                     expiring_ >= sweep_few_entries_min && !index_->has_garbage();
    if (!few || ++sweep_puts_ % sweep_few_puts == 0) {
        sweep_buckets(now, many ? sweep_many_buckets : 1);
    }
}

void store::sweep_bucket(time_point now) {
    const auto hash = cursor_parts(sweep_at_).prefix;
    bool found = false;
    sweep_at_ = walk_bucket(sweep_at_, [&](segment& part, bucket& in) {
        for (auto& each : in.at) {
            if (each.empty() || !each.is(slot::has_deadline)) {
                continue;
            }
            ++sweep_seen_;
            if (read_entry(each.entry()).deadline <= now) {
                remove(part, each);
                ++expired_;
                ++sweep_found_;
                found = true;
            }
        }
    });
    if (sweep_at_ == 0) {
        sweep_seen_ = sweep_found_ = 0;  // a whole round: what was true of the last may not be now
    }
    if (sweep_seen_ >= sweep_memory) {
        sweep_seen_ /= 2;
        sweep_found_ /= 2;
    }
    if (found) {
        tidy(hash);
    }
}

// Calls act(segment, bucket) for the bucket at `cursor`, in all segments of the chain; gives the
// cursor behind it.
template <typename Act>
std::uint64_t store::walk_bucket(std::uint64_t cursor, Act act) {
    const cursor_parts at(cursor);
    auto& first = index_->find(at.prefix);
    for (auto* part = &first; part != nullptr; part = part->behind) {
        act(*part, part->at[at.bucket]);
    }
    return at.next(first);
}

// Calls meet(segment, slot, entry) for the entries that are not past their deadline, until there
// are `count` of them. `meet` may remove its own.
template <typename Meet>
std::uint64_t store::walk_entries(
    std::uint64_t cursor, std::size_t count, time_point now, step_budget& steps, Meet meet) {
    std::size_t met = 0;
    std::size_t walked = 0;
    const auto walked_max = std::max(count, scan_buckets_free);
    do {
        const auto hash = cursor_parts(cursor).prefix;
        const auto size_before = size_;
        cursor = walk_bucket(cursor, [&](segment& part, bucket& in) {
            ++walked;
            steps.take(steps_per_bucket);
            for (auto& each : in.at) {
                if (!each.empty() && !is_past(each, now)) {
                    steps.take(steps_per_entry);
                    meet(part, each, as_seen(read_entry(each.entry())));
                    ++met;
                }
            }
        });
        if (size_ != size_before) {
            tidy(hash);
        }
    } while (cursor != 0 && met < count && walked < walked_max && !steps.is_spent());
    return cursor;
}

std::uint64_t store::scan_slots(
    std::uint64_t cursor,
    std::size_t count,
    time_point now,
    step_budget& steps,
    void* to,
    visitor visit) {
    return walk_entries(
        cursor, count, now, steps, [&](segment&, slot&, const entry& each) { visit(to, each); });
}

std::uint64_t store::erase_slots(
    std::uint64_t cursor,
    std::size_t count,
    time_point now,
    step_budget& steps,
    void* by,
    chooser wanted) {
    const auto erase_wanted = [&](segment& part, slot& at, const entry& each) {
        if (wanted(by, each)) {
            steps.take(steps_per_entry);
            remove(part, at);
        }
    };
    auto* const before = budget_.take_steps_of(&steps);
    const auto next = walk_entries(cursor, count, now, steps, erase_wanted);
    budget_.take_steps_of(before);
    return next;
}

std::optional<store::entry> store::random_entry(
    std::uint64_t random, time_point now, step_budget& steps) {
    std::optional<entry> chosen;
    auto cursor = cursor_parts::cursor_of(random) | (random % segment::buckets);
    for (std::size_t walked = 0; size_ > 0 && !chosen && walked < random_buckets_max; ++walked) {
        std::uint64_t met = 0;
        cursor = walk_bucket(cursor, [&](segment&, bucket& in) {
            steps.take(steps_per_bucket);
            for (const auto& each : in.at) {
                // Each of those met is kept with the same probability.
                if (!each.empty() && !is_past(each, now) && (random >> 8) % ++met == 0) {
                    chosen = as_seen(read_entry(each.entry()));
                }
            }
        });
    }
    return chosen;
}

}  // namespace butterdb
