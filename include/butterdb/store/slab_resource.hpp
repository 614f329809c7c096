#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory_resource>

namespace butterdb {

/// Memory for many blocks of few sizes, without a header per block: pmr's `deallocate` says the
/// size. Blocks of one size class lie in slabs, which come from `upstream` and go back to it as
/// soon as they are empty; larger blocks come from there singly, in whole pages.
///
///     block size          class every      slab
///     8 B .. 1 KiB        8 B              64 KiB
///     1 KiB .. 16 KiB     2 to 3 %         256 KiB
///     above               4 KiB            -
///
///     a slab, aligned to its size:  | header 64 B | block | block | ... | unused tail |
///
/// A block is found to belong to its slab by its address alone. Blocks of a multiple of 16, 32 or
/// 64 bytes are aligned to that. Allocation and deallocation are O(1). What upstream throws passes
/// through, and nothing has changed. Not for threads.
class slab_resource final : public std::pmr::memory_resource {
public:
    explicit slab_resource(std::pmr::memory_resource& upstream) noexcept : upstream_(&upstream) {}
    slab_resource(const slab_resource&) = delete;
    slab_resource& operator=(const slab_resource&) = delete;
    /// Every block has been given back.
    ~slab_resource() override;

    /// Bytes that a request for `bytes` really takes.
    static std::size_t block_size(std::size_t bytes) noexcept;

private:
    struct slab;

    static constexpr std::size_t classes = 256;

    void* do_allocate(std::size_t bytes, std::size_t alignment) override;
    void do_deallocate(void* block, std::size_t bytes, std::size_t alignment) override;
    bool do_is_equal(const memory_resource& other) const noexcept override {
        return this == &other;
    }

    slab* add_slab(std::size_t size_class);
    void link(slab* entry, std::size_t size_class) noexcept;
    void unlink(slab* entry, std::size_t size_class) noexcept;

    std::pmr::memory_resource* upstream_;
    std::array<slab*, classes> with_room_{};  // per class: slabs that are not full, doubly linked
};

}  // namespace butterdb
