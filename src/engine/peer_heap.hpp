#pragma once

#include <butterdb/engine/peer.hpp>

#include <cstdint>
#include <utility>

namespace butterdb {

/// Clients by the memory that they hold, a pairing heap. It needs no memory: the links are in the
/// clients, each of which is in one heap at most, and holds as much as before while it is there.
class peer_heap {
public:
    /// Adds to `looked_at` for every client that is compared with another.
    explicit peer_heap(std::uint64_t& looked_at) noexcept : looked_at_(&looked_at) {}

    /// O(1).
    void add(peer& each) noexcept {
        each.heap_child = each.heap_next = nullptr;
        bytes_ += each.memory.bytes_used();
        top_ = top_ == nullptr ? &each : joined(top_, &each);
    }

    /// Takes out the client that holds most. Requires that there is one. Amortised O(log n).
    peer& take() noexcept {
        auto& taken = *top_;
        bytes_ -= taken.memory.bytes_used();
        top_ = joined_list(joined_pairs(taken.heap_child));
        return taken;
    }

    /// Returns what the client holds that holds most, 0 if there is none.
    std::uint64_t bytes_of_top() const noexcept {
        return top_ == nullptr ? 0 : top_->memory.bytes_used();
    }
    /// Returns what all of them hold together.
    std::uint64_t bytes() const noexcept { return bytes_; }

private:
    // Joins two heaps, neither of which is in a list; returns the top of the result.
    peer* joined(peer* one, peer* other) noexcept {
        ++*looked_at_;
        if (one->memory.bytes_used() < other->memory.bytes_used()) {
            std::swap(one, other);
        }
        other->heap_next = std::exchange(one->heap_child, other);
        return one;
    }

    // Joins each two neighbours of a list; returns the list of what results, the last first.
    peer* joined_pairs(peer* list) noexcept {
        peer* made = nullptr;
        while (list != nullptr) {
            auto* one = std::exchange(list, std::exchange(list->heap_next, nullptr));
            if (list != nullptr) {
                auto* const other = std::exchange(list, std::exchange(list->heap_next, nullptr));
                one = joined(one, other);
            }
            one->heap_next = std::exchange(made, one);
        }
        return made;
    }

    peer* joined_list(peer* list) noexcept {
        peer* made = nullptr;
        while (list != nullptr) {
            auto* const one = std::exchange(list, std::exchange(list->heap_next, nullptr));
            made = made == nullptr ? one : joined(made, one);
        }
        return made;
    }

    std::uint64_t* looked_at_;
    peer* top_ = nullptr;
    std::uint64_t bytes_ = 0;
};

}  // namespace butterdb
