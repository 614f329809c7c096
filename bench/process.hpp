#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace butterdb::bench {

/// What the kernel says of a process, all its threads.
struct process_usage {
    std::chrono::duration<double> cpu{0};     ///< user and system time, from the scheduler
    std::chrono::duration<double> system{0};  ///< of it in the kernel, counted in ticks
    std::uint64_t resident_bytes = 0;
};

/// Used since `before`; the memory is what it is now.
process_usage operator-(const process_usage& now, const process_usage& before) noexcept;

/// Nothing when there is no such process on this machine. Source: proc(5), stat, statm and
/// task/*/schedstat.
std::optional<process_usage> usage_of(std::int64_t process_id);

/// The program that a process runs, as the kernel shortens it (15 bytes); empty: no such process.
std::string program_of(std::int64_t process_id);

/// CPU time of the calling thread.
std::chrono::duration<double> thread_cpu_time() noexcept;

/// Keeps the calling thread on one processor. False when there is no such one.
bool pin_this_thread(int cpu) noexcept;

/// Processors that this process may run on, ascending.
std::vector<int> usable_cpus();

}  // namespace butterdb::bench
