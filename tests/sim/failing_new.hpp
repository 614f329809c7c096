#pragma once

namespace butterdb::test::sim {

/// Has so many calls of `operator new` fail that come after `before` others.
void fail_allocations_after(unsigned before, unsigned count);
/// No longer.
void allow_allocations();
/// True once after one has failed.
bool take_allocation_failure();

}  // namespace butterdb::test::sim
