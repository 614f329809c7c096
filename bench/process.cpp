#include "process.hpp"

#include <sched.h>
#include <unistd.h>

#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace butterdb::bench {

namespace {

// Nanoseconds on a processor, of all threads; 0 where the kernel does not say.
std::uint64_t scheduled_time(const std::string& folder) {
    std::uint64_t sum = 0;
    std::error_code ended;
    for (const auto& thread : std::filesystem::directory_iterator(folder + "/task", ended)) {
        std::uint64_t nanoseconds = 0;
        std::ifstream(thread.path() / "schedstat") >> nanoseconds;
        sum += nanoseconds;
    }
    return sum;
}

}  // namespace

process_usage operator-(const process_usage& now, const process_usage& before) noexcept {
    return {now.cpu - before.cpu, now.system - before.system, now.resident_bytes};
}

std::optional<process_usage> usage_of(std::int64_t process_id) {
    const auto folder = "/proc/" + std::to_string(process_id);
    std::ifstream stat(folder + "/stat");
    std::string line;
    if (!std::getline(stat, line)) {
        return std::nullopt;
    }
    // Behind the program's name in parentheses: state, then numbers; utime and stime are the 12th
    // and 13th fields from there.
    unsigned long user_ticks = 0;
    unsigned long system_ticks = 0;
    const auto rest = line.substr(line.rfind(')') + 1);
    constexpr int wanted = 2;
    if (std::sscanf(
            rest.c_str(),
            " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
            &user_ticks,
            &system_ticks) != wanted) {
        return std::nullopt;
    }
    std::uint64_t pages = 0;
    std::ifstream(folder + "/statm") >> pages >> pages;
    const auto per_second = static_cast<double>(::sysconf(_SC_CLK_TCK));
    process_usage usage;
    usage.system = std::chrono::duration<double>(static_cast<double>(system_ticks) / per_second);
    usage.resident_bytes = pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    const auto scheduled = scheduled_time(folder);
    usage.cpu = std::chrono::duration<double>(
        scheduled > 0 ? static_cast<double>(scheduled) / 1e9
                      : static_cast<double>(user_ticks + system_ticks) / per_second);
    return usage;
}

std::string program_of(std::int64_t process_id) {
    std::ifstream in("/proc/" + std::to_string(process_id) + "/comm");
    std::string name;
    std::getline(in, name);
    return name;
}

std::chrono::duration<double> thread_cpu_time() noexcept {
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return std::chrono::duration<double>(
        static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9);
}

bool pin_this_thread(int cpu) noexcept {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<unsigned>(cpu), &set);
    return ::sched_setaffinity(0, sizeof set, &set) == 0;
}

std::vector<int> usable_cpus() {
    cpu_set_t set;
    CPU_ZERO(&set);
    std::vector<int> found;
    if (::sched_getaffinity(0, sizeof set, &set) == 0) {
        for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
            if (CPU_ISSET(static_cast<unsigned>(cpu), &set)) {
                found.push_back(cpu);
            }
        }
    }
    return found;
}

}  // namespace butterdb::bench
