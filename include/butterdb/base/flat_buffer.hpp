#pragma once

#include <butterdb/base/assert.hpp>

#include <cstddef>
#include <limits>
#include <memory_resource>
#include <span>
#include <string_view>

namespace butterdb {

/// Returns the capacity that a buffer of `capacity` bytes grows to when it needs `needed`. That is
/// twice as many, so that appending is amortised O(1); but towards `size_max`, which the content is
/// not to exceed, at most half of what is left to it, and at least a 64th of it.
std::size_t grown_capacity(std::size_t capacity, std::size_t needed, std::size_t size_max) noexcept;

/// A queue of bytes in one allocation: bytes are added at the end and consumed from the front.
///
///     |<- consumed ->|<----- size() ----->|<- room ->|
///     storage_       begin_               end_       capacity_
///
/// Consuming is O(1), new bytes are not zeroed, and nothing is allocated until the first byte.
/// Views into the buffer stay valid until the next non-const call other than `consume`.
class flat_buffer {
public:
    static constexpr auto size_most = std::numeric_limits<std::size_t>::max();

    explicit flat_buffer(
        std::pmr::memory_resource& memory = *std::pmr::get_default_resource()) noexcept
        : memory_(&memory) {}
    flat_buffer(const flat_buffer&) = delete;
    flat_buffer& operator=(const flat_buffer&) = delete;
    ~flat_buffer() { release(); }

    std::size_t size() const noexcept { return end_ - begin_; }
    bool empty() const noexcept { return begin_ == end_; }
    std::size_t capacity() const noexcept { return capacity_; }
    std::string_view view() const noexcept { return {storage_ + begin_, size()}; }
    std::span<char> bytes() noexcept { return {storage_ + begin_, size()}; }

    /// Returns room for `count` bytes after the last one; they count once committed. Amortised
    /// O(count). Grows as `grown_capacity` says. Throws std::bad_alloc and changes nothing when the
    /// memory resource refuses.
    char* prepare(std::size_t count, std::size_t size_max = size_most) {
        if (capacity_ - end_ < count) {
            make_room(count, size_max);
        }
        return storage_ + end_;
    }

    /// Room for all that fits without another allocation: when empty, the whole capacity.
    std::span<char> room() noexcept { return {storage_ + end_, capacity_ - end_}; }

    /// Takes `count` prepared bytes in. Requires count <= what was prepared.
    void commit(std::size_t count) noexcept {
        BUTTERDB_ASSERT(count <= capacity_ - end_);
        end_ += count;
    }

    /// Drops the last `count` bytes. Requires count <= size().
    void drop_back(std::size_t count) noexcept {
        BUTTERDB_ASSERT(count <= size());
        end_ -= count;
        if (begin_ == end_) {
            begin_ = end_ = 0;
        }
    }

    /// Drops the first `count` bytes. Requires count <= size().
    void consume(std::size_t count) noexcept {
        BUTTERDB_ASSERT(count <= size());
        begin_ += count;
        if (begin_ == end_) {
            begin_ = end_ = 0;
        }
    }

    void append(std::string_view bytes);
    void append(char byte) {
        *prepare(1) = byte;
        commit(1);
    }

    /// Changes the capacity, keeping the bytes. Requires capacity >= size(); 0 frees the memory.
    void set_capacity(std::size_t capacity);

private:
    void make_room(std::size_t count, std::size_t size_max);
    void release() noexcept;

    std::pmr::memory_resource* memory_;
    char* storage_ = nullptr;
    std::size_t capacity_ = 0;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
};

}  // namespace butterdb
