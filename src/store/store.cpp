#define XXH_INLINE_ALL
#include <butterdb/store/store.hpp>

#include <xxhash.h>

#include <new>
#include <utility>

namespace butterdb {

std::size_t store::seeded_hash::operator()(std::string_view key) const noexcept {
    return XXH3_64bits_withSeed(key.data(), key.size(), seed);
}

store::store(std::pmr::memory_resource& memory, std::uint64_t ceiling, std::uint64_t seed)
    : budget_(memory, ceiling), seed_(seed), entries_(empty_table()) {}

// No bucket but the one that lies in the object: an empty table holds no memory.
store::table store::empty_table() noexcept {
    return table(0, seeded_hash{seed_}, std::equal_to<>{}, &budget_);
}

std::optional<std::string_view> store::get(std::string_view key, time_point now) {
    const auto at = find_live(key, now);
    if (at == entries_.end()) {
        return std::nullopt;
    }
    return at->second.value;
}

bool store::put(std::string_view key, std::string_view value, time_point now, time_point deadline) {
    try {
        const auto at = find_live(key, now);
        if (at == entries_.end()) {
            entries_.emplace(
                std::piecewise_construct,
                std::forward_as_tuple(key),
                std::forward_as_tuple(value, deadline));
            return true;
        }
        auto& old = at->second;
        try {
            std::pmr::string fresh(value, &budget_);
            old.value.swap(fresh);
        } catch (const std::bad_alloc&) {
            if (value.size() > old.value.capacity()) {
                throw;
            }
            old.value.assign(value);
        }
        old.deadline = deadline;
        return true;
    } catch (const std::bad_alloc&) {
        return false;
    }
}

bool store::erase(std::string_view key, time_point now) {
    const auto at = find_live(key, now);
    if (at == entries_.end()) {
        return false;
    }
    erase_at(at);
    return true;
}

void store::clear() noexcept {
    auto none = empty_table();
    entries_.swap(none);
}

store::table::iterator store::find_live(std::string_view key, time_point now) {
    const auto at = entries_.find(key);
    if (at != entries_.end() && at->second.deadline <= now) {
        erase_at(at);
        return entries_.end();
    }
    return at;
}

void store::erase_at(table::iterator at) noexcept {
    entries_.erase(at);
    if (entries_.empty()) {
        clear();  // gives the buckets back too
    }
}

}  // namespace butterdb
