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
///     1 KiB .. 16 KiB     2 to 3 %         64, 128 or 256 KiB: at most 2 % unused, if it can be
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

    /// Bytes that a request for `bytes` would take from upstream, 0 when a slab has room.
    std::size_t growth_for(std::size_t bytes) const noexcept;

    /// Bytes that `compact(0, ...)` could give back, called again and again.
    std::uint64_t reclaimable() const noexcept;

    /// Empties one slab whose blocks find room in the others of its class, and gives it back to
    /// upstream. Only of a class that has so large a share of free blocks. Calls move(from, to)
    /// for each of the blocks in use, which must copy it and from then on know it by its new
    /// address. False when there is no such slab. O(blocks of a slab).
    template <typename Move>
    bool compact(unsigned free_percent, Move move) noexcept {
        return compact_class(
            class_to_compact(free_percent), &move, [](void* call, char* from, char* to) {
                (*static_cast<Move*>(call))(from, to);
            });
    }

private:
    struct slab;
    using mover = void (*)(void* call, char* from, char* to);

    static constexpr std::size_t classes = 256;

    /// What is known of the slabs of one class.
    struct family {
        slab* with_room = nullptr;  ///< those that are not full, doubly linked
        std::uint64_t slabs = 0;
        std::uint64_t free_blocks = 0;  ///< in all of them
    };

    void* do_allocate(std::size_t bytes, std::size_t alignment) override;
    void do_deallocate(void* block, std::size_t bytes, std::size_t alignment) override;
    bool do_is_equal(const memory_resource& other) const noexcept override {
        return this == &other;
    }

    std::size_t class_to_compact(unsigned free_percent) const noexcept;
    bool compact_class(std::size_t size_class, void* call, mover move) noexcept;
    slab* emptiest(std::size_t size_class) const noexcept;
    slab* add_slab(std::size_t size_class);
    void link(slab* entry, std::size_t size_class) noexcept;
    void unlink(slab* entry, std::size_t size_class) noexcept;

    std::pmr::memory_resource* upstream_;
    std::array<family, classes> families_{};
};

}  // namespace butterdb
