// The fuzz targets on their corpora: what was found once stays found.

#include "fuzz/conversation_fuzz.hpp"
#include "store/model.hpp"
#include "support/catch.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace {

std::size_t replay(const char* folder, void (*target)(std::string_view bytes)) {
    std::size_t files = 0;
    for (const auto& each : std::filesystem::directory_iterator(folder)) {
        std::ifstream in(each.path(), std::ios::binary);
        const std::string bytes(std::istreambuf_iterator<char>(in), {});
        CAPTURE(each.path());
        target(bytes);
        ++files;
    }
    return files;
}

}  // namespace

TEST_CASE("the corpus of conversations passes") {
    CHECK(replay(BUTTERDB_CORPUS "/conversation", butterdb::test::fuzz_conversation) > 0);
}

TEST_CASE("the corpus of the store passes") {
    CHECK(replay(BUTTERDB_CORPUS "/store", butterdb::test::fuzz_store) > 0);
}
