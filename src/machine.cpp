#include "machine.hpp"

#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>
#include <system_error>

namespace butterdb {

namespace {

constexpr auto no_limit = std::numeric_limits<std::uint64_t>::max();

// A file that holds one number; "max", or no such file, is no limit.
std::uint64_t limit_in(const std::filesystem::path& file) {
    std::ifstream in(file);
    std::uint64_t bytes = 0;
    return in >> bytes ? bytes : no_limit;
}

// The lowest limit of this process's control group (version 2) and those around it. In a container
// the group's own path is often not visible, its limit lies at the top.
std::uint64_t limit_of_control_group() {
    const std::filesystem::path top = "/sys/fs/cgroup";
    auto lowest =
        std::min(limit_in(top / "memory.max"), limit_in(top / "memory" / "memory.limit_in_bytes"));
    std::ifstream groups("/proc/self/cgroup");
    for (std::string line; std::getline(groups, line);) {
        if (!line.starts_with("0::/")) {
            continue;
        }
        for (auto group = top / line.substr(4); group != top && group.has_relative_path();
             group = group.parent_path()) {
            lowest = std::min(lowest, limit_in(group / "memory.max"));
        }
    }
    return lowest;
}

}  // namespace

std::uint64_t memory_of_machine() {
    const auto pages = static_cast<std::uint64_t>(std::max(::sysconf(_SC_PHYS_PAGES), 1L));
    const auto page_bytes = static_cast<std::uint64_t>(std::max(::sysconf(_SC_PAGESIZE), 1L));
    return std::min(pages * page_bytes, limit_of_control_group());
}

std::uint64_t resident_bytes() {
    std::ifstream in("/proc/self/statm");
    std::uint64_t all = 0;
    std::uint64_t resident = 0;
    in >> all >> resident;
    return in ? resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) : 0;
}

std::uint64_t random_seed() {
    std::uint64_t seed = 0;
    if (::getrandom(&seed, sizeof seed, 0) != sizeof seed) {
        throw std::system_error(errno, std::generic_category(), "getrandom");
    }
    return seed;
}

}  // namespace butterdb
