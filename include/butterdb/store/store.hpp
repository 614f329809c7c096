#pragma once

#include <butterdb/base/time.hpp>
#include <butterdb/store/budget_resource.hpp>

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace butterdb {

/// A map from bytes to bytes with an optional deadline per entry, in memory that never goes over a
/// ceiling. It reads no clock and draws no random number: both are arguments.
///
/// Invariants: an entry whose deadline is not after `now` is never seen; a call that fails changes
/// nothing; `bytes_used()` counts every byte that the store holds and is back at its first value
/// when the last entry is gone. Views stay valid until the next call that is not const.
class store {
public:
    /// `memory` outlives the store. `ceiling` in bytes. `seed` keeps clients from guessing which
    /// keys collide.
    store(std::pmr::memory_resource& memory, std::uint64_t ceiling, std::uint64_t seed);
    store(const store&) = delete;
    store& operator=(const store&) = delete;

    /// The value of `key`, unless absent. O(1).
    std::optional<std::string_view> get(std::string_view key, time_point now);

    /// Stores `value` and `deadline` under `key`, replacing both. False when there is no memory for
    /// it: the old value and its deadline are then as they were. A value no longer than the old one
    /// always fits. O(1).
    [[nodiscard]] bool put(
        std::string_view key,
        std::string_view value,
        time_point now,
        time_point deadline = no_deadline);

    /// Deletes `key`; false when it was not there. O(1).
    bool erase(std::string_view key, time_point now);

    /// Deletes everything. O(n).
    void clear() noexcept;

    /// Entries, those past their deadline included until they are met.
    std::size_t size() const noexcept { return entries_.size(); }

    /// Bytes held, index included.
    std::uint64_t bytes_used() const noexcept { return budget_.bytes_used(); }
    std::uint64_t ceiling() const noexcept { return budget_.ceiling(); }

private:
    struct entry {
        using allocator_type = std::pmr::polymorphic_allocator<>;
        entry(std::string_view bytes, time_point until, allocator_type memory)
            : value(bytes, memory), deadline(until) {}

        std::pmr::string value;
        time_point deadline;
    };

    struct seeded_hash {
        using is_transparent = void;
        std::uint64_t seed;
        std::size_t operator()(std::string_view key) const noexcept;
    };

    using table = std::pmr::unordered_map<std::pmr::string, entry, seeded_hash, std::equal_to<>>;

    table::iterator find_live(std::string_view key, time_point now);
    void erase_at(table::iterator at) noexcept;
    table empty_table() noexcept;

    budget_resource budget_;
    std::uint64_t seed_;
    table entries_;
};

}  // namespace butterdb
