#pragma once

#include <butterdb/base/step_budget.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory_resource>
#include <new>
#include <utility>

namespace butterdb {

/// Counts what passes through to `upstream`, exactly, and refuses what would go over the ceiling.
/// A refusal throws std::bad_alloc before upstream is asked, and changes nothing.
class budget_resource final : public std::pmr::memory_resource {
public:
    static constexpr auto no_ceiling = std::numeric_limits<std::uint64_t>::max();

    explicit budget_resource(
        std::pmr::memory_resource& upstream, std::uint64_t ceiling = no_ceiling) noexcept
        : upstream_(&upstream), ceiling_(ceiling) {}
    budget_resource(const budget_resource&) = delete;
    budget_resource& operator=(const budget_resource&) = delete;
    ~budget_resource() override = default;

    /// Counts a part of what `whole` counts; what is charged to it is charged to `whole`, too.
    static budget_resource part_of(budget_resource& whole) noexcept {
        return budget_resource(whole, &whole);
    }

    /// Counts `bytes` that a library has allocated elsewhere, which no ceiling can refuse any more.
    void charge(std::uint64_t bytes) noexcept {
        used_ += bytes;
        peak_ = std::max(peak_, used_);
        if (whole_ != nullptr) {
            whole_->charge(bytes);
        }
    }
    /// Takes off what was charged.
    void refund(std::uint64_t bytes) noexcept {
        used_ -= bytes;
        if (whole_ != nullptr) {
            whole_->refund(bytes);
        }
    }

    std::uint64_t bytes_used() const noexcept { return used_; }
    /// From now on, what goes back to `upstream` takes steps of this, which outlives it or the next
    /// call; null: of none. Returns what it took them of before.
    step_budget* take_steps_of(step_budget* steps) noexcept { return std::exchange(steps_, steps); }
    std::uint64_t ceiling() const noexcept { return ceiling_; }
    /// May be lower than what is used: then nothing is given out until it is not.
    void set_ceiling(std::uint64_t bytes) noexcept { ceiling_ = bytes; }
    /// The most that has been used since the last `reset_peak`.
    std::uint64_t peak() const noexcept { return peak_; }
    void reset_peak() noexcept { peak_ = used_; }
    std::uint64_t bytes_left() const noexcept { return ceiling_ > used_ ? ceiling_ - used_ : 0; }

private:
    budget_resource(std::pmr::memory_resource& upstream, budget_resource* whole) noexcept
        : upstream_(&upstream), whole_(whole), ceiling_(no_ceiling) {}

    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        if (bytes > bytes_left()) {
            throw std::bad_alloc();
        }
        void* const block = upstream_->allocate(bytes, alignment);
        used_ += bytes;
        peak_ = std::max(peak_, used_);
        return block;
    }

    void do_deallocate(void* block, std::size_t bytes, std::size_t alignment) override {
        upstream_->deallocate(block, bytes, alignment);
        used_ -= bytes;
        if (steps_ != nullptr) {
            steps_->take(steps_to_free(bytes));
        }
    }

    bool do_is_equal(const memory_resource& other) const noexcept override {
        return this == &other;
    }

    std::pmr::memory_resource* upstream_;
    budget_resource* whole_ = nullptr;
    std::uint64_t ceiling_;
    std::uint64_t used_ = 0;
    std::uint64_t peak_ = 0;
    step_budget* steps_ = nullptr;
};

}  // namespace butterdb
