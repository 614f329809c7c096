#pragma once

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <new>

namespace butterdb {

/// Counts what passes through to `upstream`, exactly, and refuses what would go over the ceiling.
/// A refusal throws std::bad_alloc before upstream is asked, and changes nothing.
class budget_resource final : public std::pmr::memory_resource {
public:
    budget_resource(std::pmr::memory_resource& upstream, std::uint64_t ceiling) noexcept
        : upstream_(&upstream), ceiling_(ceiling) {}

    std::uint64_t bytes_used() const noexcept { return used_; }
    std::uint64_t ceiling() const noexcept { return ceiling_; }
    std::uint64_t bytes_left() const noexcept { return ceiling_ - used_; }

private:
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        if (bytes > bytes_left()) {
            throw std::bad_alloc();
        }
        void* const block = upstream_->allocate(bytes, alignment);
        used_ += bytes;
        return block;
    }

    void do_deallocate(void* block, std::size_t bytes, std::size_t alignment) override {
        upstream_->deallocate(block, bytes, alignment);
        used_ -= bytes;
    }

    bool do_is_equal(const memory_resource& other) const noexcept override {
        return this == &other;
    }

    std::pmr::memory_resource* upstream_;
    std::uint64_t ceiling_;
    std::uint64_t used_ = 0;
};

}  // namespace butterdb
