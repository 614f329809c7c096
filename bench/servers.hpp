#pragma once

#include "workload.hpp"
#include <butterdb/net/client.hpp>

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace butterdb::bench {

/// The process behind an address, as the server itself says, when it is on this machine: only then
/// do the figures of /proc mean anything. Throws std::system_error when no server answers.
std::optional<std::int64_t> local_process_of(
    const server_address& where, dialect spoken, steady::duration timeout);

/// How to start a server.
struct server_program {
    std::vector<std::string> command;  ///< its arguments, the program first
    std::uint16_t port = 0;            ///< where it will listen; 0: it says so, as butterdb does
    dialect spoken = dialect::text;
};

/// The programs that this tool knows how to start, with one thread and nothing kept on disk:
/// butterdb, redis-server, valkey-server, memcached, floor. Nothing: an unknown name. The floor
/// answers with a value of the size that `work` has, if that mostly fetches.
std::optional<server_program> known_program(const std::string& name, const workload& work);

/// A server started for one benchmark, on 127.0.0.1. Ends with this object, and with this process
/// when a signal ends that.
class started_server {
public:
    /// `cpu`: the processor that it runs on. Throws std::runtime_error when it does not start, or
    /// does not listen within ten seconds.
    explicit started_server(const server_program& program, std::optional<int> cpu = {});
    started_server(const started_server&) = delete;
    started_server& operator=(const started_server&) = delete;
    ~started_server();

    std::uint16_t port() const noexcept { return port_; }
    std::int64_t process_id() const noexcept { return process_; }

private:
    void end(int signal) const noexcept;

    pid_t process_ = -1;
    std::uint16_t port_ = 0;
};

}  // namespace butterdb::bench
