#include <butterdb/base/assert.hpp>
#include <butterdb/base/flat_buffer.hpp>

#include <algorithm>
#include <cstring>
#include <new>

namespace butterdb {

namespace {
constexpr std::size_t smallest_capacity = 256;
}

std::size_t grown_capacity(
    std::size_t capacity, std::size_t needed, std::size_t size_max) noexcept {
    const auto left = size_max > needed ? size_max - needed : 0;
    const auto spare = std::max(left / 2, size_max / 64);
    return std::max(needed, std::min(2 * capacity, needed + spare));
}

void flat_buffer::append(std::string_view bytes) {
    if (bytes.empty()) {
        return;
    }
    std::memcpy(prepare(bytes.size()), bytes.data(), bytes.size());
    commit(bytes.size());
}

void flat_buffer::set_capacity(std::size_t capacity) {
    BUTTERDB_ASSERT(capacity >= size());
    if (capacity == capacity_) {
        return;
    }
    char* storage = nullptr;
    if (capacity != 0) {
        storage = static_cast<char*>(memory_->allocate(capacity, 1));
    }
    const auto kept = size();
    if (kept != 0) {
        std::memcpy(storage, storage_ + begin_, kept);
    }
    release();
    storage_ = storage;
    capacity_ = capacity;
    begin_ = 0;
    end_ = kept;
}

// Moving to the front is worth it only while at least half the buffer is free: otherwise a buffer
// that is consumed a little at a time would be moved every time.
void flat_buffer::make_room(std::size_t count, std::size_t size_max) {
    const auto kept = size();
    if (capacity_ >= kept && capacity_ - kept >= std::max(count, capacity_ / 2)) {
        std::memmove(storage_, storage_ + begin_, kept);
        begin_ = 0;
        end_ = kept;
        return;
    }
    std::size_t needed = 0;
    if (__builtin_add_overflow(kept, count, &needed)) {
        throw std::bad_alloc();
    }
    set_capacity(std::max(grown_capacity(capacity_, needed, size_max), smallest_capacity));
}

void flat_buffer::release() noexcept {
    if (storage_ != nullptr) {
        memory_->deallocate(storage_, capacity_, 1);
        storage_ = nullptr;
    }
    capacity_ = 0;
}

}  // namespace butterdb
