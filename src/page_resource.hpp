#pragma once

#include <cstddef>
#include <cstdint>
#include <memory_resource>

namespace butterdb {

/// Pages of the operating system, so that what is given back leaves the process at once. Memory is
/// mapped in regions of 4 MiB and given out in runs of 4 KiB pages, aligned to up to 2 MiB; a
/// region that becomes empty is unmapped. Not for threads.
///
///     a region, aligned to its size:  | page 0: its list and a bit per page | page | page | ...
///
/// Larger requests are mappings of their own. Throws std::bad_alloc when the system has no more.
class page_resource final : public std::pmr::memory_resource {
public:
    page_resource() noexcept = default;
    page_resource(const page_resource&) = delete;
    page_resource& operator=(const page_resource&) = delete;
    /// Every page has been given back.
    ~page_resource() override;

    /// Bytes mapped now.
    std::uint64_t bytes_mapped() const noexcept { return mapped_; }

private:
    struct region;

    void* do_allocate(std::size_t bytes, std::size_t alignment) override;
    void do_deallocate(void* block, std::size_t bytes, std::size_t alignment) override;
    bool do_is_equal(const memory_resource& other) const noexcept override {
        return this == &other;
    }

    region* add_region();
    void link(region* each) noexcept;
    void unlink(region* each) noexcept;

    region* with_room_ = nullptr;  // doubly linked: regions with a free page
    std::uint64_t mapped_ = 0;
};

}  // namespace butterdb
