// Replaces the global operator new of its executable.

#include "sim/failing_new.hpp"

#include <cstddef>
#include <cstdlib>
#include <new>
#include <utility>

namespace butterdb::test::sim {

namespace {

bool armed = false;
unsigned left = 0;     // that succeed before
unsigned to_fail = 0;  // then
bool failed = false;

void* allocate(std::size_t bytes) {
    if (armed && left > 0) {
        --left;
    } else if (armed) {
        armed = --to_fail > 0;
        failed = true;
        throw std::bad_alloc();
    }
    void* const block = std::malloc(bytes == 0 ? 1 : bytes);
    if (block == nullptr) {
        throw std::bad_alloc();
    }
    return block;
}

}  // namespace

void fail_allocations_after(unsigned before, unsigned count) {
    armed = true;
    left = before;
    to_fail = count;
}

void allow_allocations() {
    armed = false;
}

unfailing_allocations::unfailing_allocations() noexcept : was_armed_(std::exchange(armed, false)) {}

unfailing_allocations::~unfailing_allocations() {
    armed = was_armed_;
}

bool take_allocation_failure() {
    return std::exchange(failed, false);
}

}  // namespace butterdb::test::sim

void* operator new(std::size_t bytes) {
    return butterdb::test::sim::allocate(bytes);
}
void* operator new[](std::size_t bytes) {
    return butterdb::test::sim::allocate(bytes);
}
void operator delete(void* block) noexcept {
    std::free(block);
}
void operator delete[](void* block) noexcept {
    std::free(block);
}
void operator delete(void* block, std::size_t) noexcept {
    std::free(block);
}
void operator delete[](void* block, std::size_t) noexcept {
    std::free(block);
}
