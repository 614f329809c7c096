#pragma once

#include "histogram.hpp"
#include "workload.hpp"
#include <butterdb/net/client.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace butterdb::bench {

/// One test: so many clients, each with so many operations, or for so long.
struct load {
    std::size_t clients = 8;
    std::uint64_t operations = 10'000;  ///< of each client; not counted when there is a duration
    std::chrono::duration<double> duration{0};
    std::size_t pipeline = 1;  ///< requests sent together, before their replies are awaited
    workload work;
};

/// What one test measured.
struct measurement {
    std::size_t clients = 0;
    std::uint64_t operations = 0;  ///< requests answered
    std::uint64_t gets = 0;
    std::uint64_t hits = 0;
    std::uint64_t wrong = 0;         ///< replies that cannot be right
    std::string connection_failure;  ///< the first one; empty: none
    std::uint64_t connections_lost = 0;
    std::chrono::duration<double> elapsed{0};
    histogram latency;  ///< of each request, from the send that carried it to its own reply

    // Of the server's process; nothing when it is not on this machine.
    std::optional<double> cpu_percent;  ///< of one core
    std::optional<std::uint64_t> resident_bytes;

    double throughput() const noexcept;
    bool failed() const noexcept { return wrong > 0 || connections_lost > 0; }
};

/// The server under test.
struct target {
    server_address where;
    steady::duration timeout = std::chrono::seconds(10);
    std::optional<std::int64_t> process_id;  ///< where its CPU and memory can be read
};

/// Told a few times a second how far a test has got: operations so far, time so far.
using progress = std::function<void(std::uint64_t, std::chrono::duration<double>)>;

/// Runs one test: connects all clients, then drives them, one coroutine each, on this thread.
/// Throws when a client cannot connect.
measurement run_load(const target& server, const load& test, const progress& tell);

}  // namespace butterdb::bench
