#pragma once

#include <butterdb/net/client.hpp>

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace butterdb::bench {

/// What the kernel says of a process.
struct process_usage {
    std::chrono::duration<double> cpu;  ///< user and system time since its start
    std::uint64_t resident_bytes;
};

/// Nothing when there is no such process on this machine.
std::optional<process_usage> usage_of(std::int64_t process_id);

/// The process behind an address, from its INFO, when it runs on this machine: only then do the
/// figures of /proc mean anything. Throws when no server answers.
std::optional<std::int64_t> local_process_of(const server_address& where, steady::duration timeout);

/// A server started for one benchmark, on a port that the kernel chose; ends with this object.
class spawned_server {
public:
    /// Starts the `butterdb` beside this program, else the one in PATH. Throws std::runtime_error.
    spawned_server();
    spawned_server(const spawned_server&) = delete;
    spawned_server& operator=(const spawned_server&) = delete;
    ~spawned_server();

    std::uint16_t port() const noexcept { return port_; }

private:
    pid_t process_ = -1;
    std::uint16_t port_ = 0;
};

}  // namespace butterdb::bench
