#pragma once

#include "support/kept_memory.hpp"

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <new>

namespace butterdb::test {

/// Counts allocations and refuses the n-th: that one alone, or it and all that follow.
class failing_resource final : public std::pmr::memory_resource {
public:
    enum class mode { once, from_then_on };

    void fail_at(std::uint64_t number, mode how) {
        seen_ = 0;
        fail_at_ = number;
        how_ = how;
    }
    void never_fail() { fail_at_ = 0; }

    /// How often an allocation was refused.
    std::uint64_t refusals() const { return refusals_; }
    bool has_failed() const { return fail_at_ != 0 && seen_ >= fail_at_; }
    std::uint64_t bytes_held() const { return held_; }
    /// All that was ever allocated.
    std::uint64_t bytes_allocated() const { return allocated_; }

private:
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        ++seen_;
        const bool refused =
            fail_at_ != 0 && (how_ == mode::once ? seen_ == fail_at_ : seen_ >= fail_at_);
        if (refused) {
            ++refusals_;
            throw std::bad_alloc();
        }
        void* const block = memory_of_stores().allocate(bytes, alignment);
        held_ += bytes;
        allocated_ += bytes;
        return block;
    }

    void do_deallocate(void* block, std::size_t bytes, std::size_t alignment) override {
        memory_of_stores().deallocate(block, bytes, alignment);
        held_ -= bytes;
    }

    bool do_is_equal(const memory_resource& other) const noexcept override {
        return this == &other;
    }

    std::uint64_t seen_ = 0;
    std::uint64_t fail_at_ = 0;
    std::uint64_t held_ = 0;
    std::uint64_t allocated_ = 0;
    std::uint64_t refusals_ = 0;
    mode how_ = mode::once;
};

}  // namespace butterdb::test
