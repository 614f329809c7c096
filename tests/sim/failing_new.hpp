#pragma once

namespace butterdb::test::sim {

/// Has the call of `operator new` fail that comes after `before` others.
void fail_allocation_after(unsigned before);
/// No longer.
void allow_allocations();
/// True once after one has failed.
bool take_allocation_failure();

}  // namespace butterdb::test::sim
