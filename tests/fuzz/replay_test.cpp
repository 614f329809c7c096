// The fuzz targets on their corpora: what was found once stays found.

#include "fuzz/targets.hpp"
#include "support/catch.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

using namespace butterdb::test;

TEST_CASE("every target passes on its corpus") {
    using target = void (*)(std::string_view);
    const auto [name, run] = GENERATE(table<const char*, target>({
        {"lines", fuzz_lines},
        {"arrays", fuzz_arrays},
        {"conversation", fuzz_conversation},
        {"dialogues", fuzz_dialogues},
        {"store", fuzz_store},
        {"replies", fuzz_replies},
        {"glob", fuzz_glob},
        {"settings", fuzz_settings},
    }));
    const auto folder = std::filesystem::path(BUTTERDB_CORPUS) / name;
    std::size_t files = 0;
    for (const auto& each : std::filesystem::directory_iterator(folder)) {
        std::ifstream in(each.path(), std::ios::binary);
        const std::string bytes(std::istreambuf_iterator<char>(in), {});
        CAPTURE(each.path());
        run(bytes);
        ++files;
    }
    CHECK(files > 10);
}
