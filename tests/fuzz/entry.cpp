// libFuzzer's way into the target that BUTTERDB_FUZZ_TARGET names.

#include "fuzz/targets.hpp"

#include <cstddef>

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    butterdb::test::BUTTERDB_FUZZ_TARGET({reinterpret_cast<const char*>(data), size});
    return 0;
}
