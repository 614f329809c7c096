#pragma once

#include <butterdb/base/budget_resource.hpp>
#include <butterdb/base/step_budget.hpp>
#include <butterdb/base/time.hpp>
#include <butterdb/store/slab_resource.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <optional>
#include <span>
#include <string_view>

namespace butterdb {

class directory;
class slot;
struct entry_parts;
struct segment;

/// What to do when there is no memory for an entry.
enum class eviction {
    none,   ///< refuse it
    clock,  ///< delete entries that were not read lately: second chance, a bit per entry
};

/// What makes the hashes of a store its own.
class hash_secret {
public:
    /// Different seeds give secrets that have nothing to do with each other.
    explicit hash_secret(std::uint64_t seed) noexcept;

    std::span<const unsigned char> bytes() const noexcept { return bytes_; }

private:
    std::array<unsigned char, 192> bytes_;
};

/// Gives the 64-bit hash of a key.
using hash_function = std::uint64_t (*)(std::string_view key, const hash_secret& secret) noexcept;

/// XXH3 of the xxHash library, with all its secret words from the seed: keys crafted to collide
/// without the secret are spread like any others. (With XXH3's own way to use a seed, pairs are
/// known that collide for one seed in 1,400.)
std::uint64_t secret_hash(std::string_view key, const hash_secret& secret) noexcept;

struct store_options {
    std::uint64_t ceiling = std::uint64_t{256} << 20;  ///< bytes; an empty store takes 352 KiB
    std::uint64_t seed = 0;  ///< from a random source, unless a run is to be repeated
    butterdb::eviction eviction = butterdb::eviction::none;
    hash_function hash = secret_hash;  ///< for tests
};

/// A map from bytes to bytes with an optional deadline per entry, in memory that never goes over a
/// ceiling. It reads no clock and draws no random number: both are arguments.
///
///     directory   hash prefix -> segment   grows and shrinks by a page at a time
///     segment     41 buckets               split when full, joined when nearly empty
///     bucket      8 slots, a cache line    an entry is in its bucket or in the next
///     slot        8 bytes                  address of the entry, 16 bits of its hash, flags
///     entry       a block of the slab      2 bytes and up, key, value
///
/// Invariants:
/// 1. An entry whose deadline is not after `now` is never seen.
/// 2. A call that fails has changed no entry; only eviction may have deleted others by then.
/// 3. `bytes_used()` counts every byte that the store holds, and is back at its first value when
///    the last entry is gone.
/// 4. A call does a bounded amount of work: growth splits one segment at a time, and what `clear`
///    leaves is freed by `sweep`. Only a put at the ceiling does more, in proportion to the bytes
///    of its entry: it may free what `clear` left, move the entries of slabs closer together, and
///    evict, until its entry fits; so does a first deadline.
///
/// Views into the store stay valid until the next call that is not const. Not for threads.
class store {
public:
    struct entry {
        std::string_view key;
        std::string_view value;
        time_point deadline;  ///< no_deadline: none
        std::size_t memory;   ///< bytes that it takes, without its place in the index
    };

    /// `memory` outlives the store; it is asked for slabs of 64, 128 or 256 KiB aligned to their
    /// size, and for runs of whole pages of 4 KiB. Throws std::bad_alloc when not even an empty
    /// store fits.
    store(std::pmr::memory_resource& memory, const store_options& options);
    store(const store&) = delete;
    store& operator=(const store&) = delete;
    ~store();

    /// The entry of `key`, unless absent. O(1), two cache misses.
    std::optional<entry> find(std::string_view key, time_point now);
    std::optional<std::string_view> get(std::string_view key, time_point now);

    /// Asks the processor for the place of a key in the index, which will be looked for soon. What
    /// lies behind it is asked for by `fetch_expected`, once other work has gone by or for many
    /// keys at once: so the waits overlap. Changes nothing that is seen, and holds whatever the
    /// store does meanwhile: the place is found anew from the hash.
    void expect(std::string_view key) noexcept {
        if (expected_count_ == expected_.size()) {
            fetch_expected();
        }
        const auto hash = hash_of(key);
        expected_[expected_count_++] = hash;
        prefetch_bucket(hash);
    }
    /// Asks for the entries of all keys that are expected, which then are not any more.
    void fetch_expected() noexcept;
    /// Both, for keys that are looked for at once.
    void expect_all(std::span<const std::string_view> keys) noexcept {
        for (const auto key : keys) {
            expect(key);
        }
        fetch_expected();
    }

    /// Stores `value` and `deadline` under `key`, replacing both. False when there is no memory for
    /// it: the old value and its deadline are then as they were. What makes an entry smaller always
    /// succeeds. Neither argument may be a view into the store. O(1) but for the split of a segment
    /// and, at the ceiling, for what invariant 4 says.
    [[nodiscard]] bool put(
        std::string_view key,
        std::string_view value,
        time_point now,
        time_point deadline = no_deadline);

    /// Gives the entry of `key` another deadline, or none, and leaves its value as it is. False
    /// when there is no such entry, or no memory for a deadline where none was: all is then as it
    /// was. Changing or taking away a deadline always succeeds; its 8 bytes stay with the entry
    /// until it is put again. `key` may not be a view into the store. O(1): of a value that had
    /// none, 16 KiB at most are copied; at the ceiling, as `put`.
    [[nodiscard]] bool set_deadline(std::string_view key, time_point deadline, time_point now);

    /// Deletes `key`; false when it was not there. O(1).
    bool erase(std::string_view key, time_point now);

    /// Deletes everything at once; `sweep` frees the memory. Throws nothing: without memory for an
    /// empty index it frees until there is.
    void clear();

    /// Entries, those past their deadline included until they are met.
    std::size_t size() const noexcept { return size_; }
    /// Entries that have a deadline.
    std::size_t expiring() const noexcept { return expiring_; }

    /// A part of a walk over all entries: calls `visit(const entry&)` for at least `count` of them
    /// from `cursor` on, or for all in as many buckets (82 at least), and returns the next cursor,
    /// 0 at the end. Begin with 0. An entry that is there from the first call to the last is
    /// visited at least once, however the store changes between the calls; one that is moved may be
    /// visited again. `visit` must not change the store.
    ///
    /// Draws what it does from `steps`, from which `visit` may draw too, and returns early once
    /// they are spent; but not before it has walked over one bucket.
    template <typename Visit>
    std::uint64_t scan(
        std::uint64_t cursor, std::size_t count, time_point now, Visit visit, step_budget& steps) {
        return scan_slots(cursor, count, now, steps, &visit, [](void* to, const entry& each) {
            (*static_cast<Visit*>(to))(each);
        });
    }
    template <typename Visit>
    std::uint64_t scan(std::uint64_t cursor, std::size_t count, time_point now, Visit visit) {
        step_budget unlimited;
        return scan(cursor, count, now, visit, unlimited);
    }

    /// Walks as `scan` does, and deletes the entries for which `wanted(const entry&)` returns true,
    /// without a copy of their keys.
    template <typename Wanted>
    std::uint64_t scan_and_erase(
        std::uint64_t cursor,
        std::size_t count,
        time_point now,
        Wanted wanted,
        step_budget& steps) {
        return erase_slots(cursor, count, now, steps, &wanted, [](void* by, const entry& each) {
            return static_cast<bool>((*static_cast<Wanted*>(by))(each));
        });
    }

    /// Some entry, chosen by `random`; nothing when the store is empty, or nothing but entries past
    /// their deadline in 16,384 buckets. Draws what it does from `steps`. Expected O(1).
    std::optional<entry> random_entry(std::uint64_t random, time_point now, step_budget& steps);
    std::optional<entry> random_entry(std::uint64_t random, time_point now) {
        step_budget unlimited;
        return random_entry(random, now, unlimited);
    }

    /// Frees what `clear` left and entries past their deadline, in at most `steps` steps of a
    /// bucket each, from where the last sweep ended; moves the entries of one slab where a quarter
    /// of such slabs is empty, and gives it back. True when going on at once is worth it.
    bool sweep(time_point now, std::size_t steps);

    /// Bytes held, index included.
    std::uint64_t bytes_used() const noexcept { return budget_.bytes_used(); }
    /// From now on, what the store gives back to `memory` in any call takes steps of this, which
    /// outlives the store or the next call; null: of none.
    void take_steps_of(step_budget* steps) noexcept { budget_.take_steps_of(steps); }
    std::uint64_t ceiling() const noexcept { return budget_.ceiling(); }
    /// A ceiling below what is used frees nothing at once: puts are refused, or with eviction
    /// `sweep` deletes entries until it holds.
    void set_ceiling(std::uint64_t bytes) noexcept { budget_.set_ceiling(bytes); }
    bool evicts() const noexcept { return eviction_ != eviction::none; }
    void set_eviction(eviction how) noexcept { eviction_ = how; }
    /// What makes its hashes its own.
    const hash_secret& secret() const noexcept { return secret_; }

    /// Entries deleted since the start or `reset_counters`: past their deadline, and to make room.
    std::uint64_t expired() const noexcept { return expired_; }
    std::uint64_t evicted() const noexcept { return evicted_; }
    /// Keys whose entries `fetch_expected` has asked for since the start or `reset_counters`.
    std::uint64_t prefetched() const noexcept { return prefetched_; }
    void reset_counters() noexcept { expired_ = evicted_ = prefetched_ = 0; }

private:
    struct place {
        segment* part;  // in which the slot lies
        slot* at;       // null: there is no such entry
    };
    using visitor = void (*)(void* to, const entry& each);
    using chooser = bool (*)(void* by, const entry& each);

    std::uint64_t hash_of(std::string_view key) const noexcept { return hash_(key, secret_); }
    std::uint64_t hash_of(const slot& at) const noexcept;
    void prefetch_bucket(std::uint64_t hash) const noexcept;
    place find_place(std::string_view key, std::uint64_t hash) const noexcept;
    template <typename Wanted>
    place find_slot(std::uint64_t hash, Wanted wanted) const noexcept;
    place find_read(std::string_view key, time_point now);
    place find_live(std::string_view key, std::uint64_t hash, time_point now);
    void remove(segment& part, slot& at) noexcept;
    void tidy(std::uint64_t hash) noexcept;
    void settle() noexcept;
    void free_entry(const slot& at) noexcept;
    void swap_block(slot& at, std::uint64_t hash, char* block, time_point deadline) noexcept;
    void write_over(slot& at, const entry_parts& fresh, std::size_t bytes) noexcept;
    void flag_deadline(slot& at, time_point deadline) noexcept;
    bool set_deadline_in_place(slot& at, time_point deadline) noexcept;
    char* new_block(std::string_view key, const slot* present, std::size_t bytes, time_point now);
    void insert(std::uint64_t hash, std::uint64_t flags, time_point now);
    void grow(std::uint64_t hash);
    bool insert_without_growth(std::uint64_t hash, char* block, std::uint64_t flags) const noexcept;
    void make_room(
        const slab_resource& slab,
        std::size_t bytes,
        const std::string_view* spared,
        time_point now);
    std::size_t evict_bucket(
        const std::string_view* spared, time_point now, std::size_t& second_chances);
    std::size_t evict(segment& part, slot& at, const std::string_view* spared, bool past) noexcept;
    bool regain() noexcept;
    bool compact(unsigned free_percent) noexcept;
    bool dispose(std::size_t buckets) noexcept;
    void erase_all() noexcept;
    bool evict_near(std::uint64_t hash, time_point now) noexcept;
    bool meet_ceiling(time_point now);
    bool sweep_buckets(time_point now, std::size_t steps);
    void pace_sweep(time_point now);
    void sweep_bucket(time_point now);
    template <typename Meet>
    std::uint64_t walk_entries(
        std::uint64_t cursor, std::size_t count, time_point now, step_budget& steps, Meet meet);
    std::uint64_t scan_slots(
        std::uint64_t cursor,
        std::size_t count,
        time_point now,
        step_budget& steps,
        void* to,
        visitor visit);
    std::uint64_t erase_slots(
        std::uint64_t cursor,
        std::size_t count,
        time_point now,
        step_budget& steps,
        void* by,
        chooser wanted);
    template <typename Act>
    std::uint64_t walk_bucket(std::uint64_t cursor, Act act);

    budget_resource budget_;
    slab_resource slab_;        // of entries
    slab_resource index_slab_;  // apart, since its blocks cannot be moved
    std::unique_ptr<directory> index_;
    std::uint64_t bytes_when_empty_;
    hash_function hash_;
    hash_secret secret_;
    eviction eviction_;
    std::size_t size_ = 0;
    std::size_t expiring_ = 0;
    std::uint64_t expired_ = 0;
    std::uint64_t evicted_ = 0;
    std::uint64_t prefetched_ = 0;

    std::uint64_t sweep_at_ = 0;  // cursor
    unsigned sweep_seen_ = 0;     // of the entries with a deadline that were looked at lately
    unsigned sweep_found_ = 0;    // ... those past it
    unsigned sweep_puts_ = 0;     // while hardly any are past it
    std::uint64_t evict_at_ = 0;  // cursor
    char* homeless_ = nullptr;    // a block that the index does not know yet
    std::array<std::uint64_t, 128> expected_{};  // hashes
    std::size_t expected_count_ = 0;
};

}  // namespace butterdb
