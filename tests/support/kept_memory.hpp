#pragma once

#include <butterdb/base/limits.hpp>

#include <cstddef>
#include <map>
#include <memory_resource>
#include <utility>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#define BUTTERDB_POISONS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define BUTTERDB_POISONS 1
#endif
#endif
#ifdef BUTTERDB_POISONS
#include <sanitizer/asan_interface.h>
#endif

namespace butterdb::test {

/// Memory for stores that come and go by the thousand, as under a fuzzer: what has whole pages is
/// kept for the next one, out of bounds meanwhile for the sanitizer, and not mapped anew each time.
class kept_memory final : public std::pmr::memory_resource {
public:
    kept_memory() = default;
    kept_memory(const kept_memory&) = delete;
    kept_memory& operator=(const kept_memory&) = delete;
    ~kept_memory() override {
        for (const auto& [shape, blocks] : kept_) {
            for (void* const block : blocks) {
                allow(block, shape.first);
                upstream_.deallocate(block, shape.first, shape.second);
            }
        }
    }

private:
    static constexpr std::size_t smallest = 4 * KiB;
    static constexpr std::size_t kept_bytes_max = 16 * MiB;

    static void forbid([[maybe_unused]] void* block, [[maybe_unused]] std::size_t bytes) {
#ifdef BUTTERDB_POISONS
        ASAN_POISON_MEMORY_REGION(block, bytes);
#endif
    }
    static void allow([[maybe_unused]] void* block, [[maybe_unused]] std::size_t bytes) {
#ifdef BUTTERDB_POISONS
        ASAN_UNPOISON_MEMORY_REGION(block, bytes);
#endif
    }

    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        const auto found = bytes < smallest ? kept_.end() : kept_.find({bytes, alignment});
        if (found == kept_.end() || found->second.empty()) {
            return upstream_.allocate(bytes, alignment);
        }
        void* const block = found->second.back();
        found->second.pop_back();
        kept_bytes_ -= bytes;
        allow(block, bytes);
        return block;
    }

    void do_deallocate(void* block, std::size_t bytes, std::size_t alignment) override {
        if (bytes < smallest || kept_bytes_ + bytes > kept_bytes_max) {
            upstream_.deallocate(block, bytes, alignment);
            return;
        }
        kept_[{bytes, alignment}].push_back(block);
        kept_bytes_ += bytes;
        forbid(block, bytes);
    }

    bool do_is_equal(const memory_resource& other) const noexcept override {
        return this == &other;
    }

    std::pmr::memory_resource& upstream_ = *std::pmr::new_delete_resource();
    std::map<std::pair<std::size_t, std::size_t>, std::vector<void*>> kept_;  // bytes, alignment
    std::size_t kept_bytes_ = 0;
};

/// One for the whole process.
inline kept_memory& memory_of_stores() {
    static kept_memory all;
    return all;
}

}  // namespace butterdb::test
