#pragma once

namespace butterdb::test::sim {

/// Has so many calls of `operator new` fail that come after `before` others.
void fail_allocations_after(unsigned before, unsigned count);
/// No longer.
void allow_allocations();
/// Has no call fail while it lives: for what allocates in the simulation alone.
class unfailing_allocations {
public:
    unfailing_allocations() noexcept;
    unfailing_allocations(const unfailing_allocations&) = delete;
    unfailing_allocations& operator=(const unfailing_allocations&) = delete;
    ~unfailing_allocations();

private:
    bool was_armed_;
};
/// True once after one has failed.
bool take_allocation_failure();

}  // namespace butterdb::test::sim
