#pragma once

namespace butterdb::test::sim {

/// Has the `operator new` of a coroutine's frame fail that comes after `before` others.
void fail_frame_after(unsigned before);
/// No longer.
void allow_frames();
/// True once after one has failed.
bool take_frame_failure();

}  // namespace butterdb::test::sim
