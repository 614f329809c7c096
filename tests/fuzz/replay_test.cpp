// The fuzz targets on their corpora: what was found once stays found.

#include "fuzz/conversation_fuzz.hpp"
#include "support/catch.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

TEST_CASE("the corpus of conversations passes") {
    std::size_t files = 0;
    for (const auto& each : std::filesystem::directory_iterator(BUTTERDB_CORPUS "/conversation")) {
        std::ifstream in(each.path(), std::ios::binary);
        const std::string bytes(std::istreambuf_iterator<char>(in), {});
        butterdb::test::fuzz_conversation(bytes);
        ++files;
    }
    CHECK(files > 0);
}
