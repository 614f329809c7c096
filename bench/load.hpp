#pragma once

#include "connection.hpp"
#include "histogram.hpp"
#include "process.hpp"
#include "workload.hpp"
#include <butterdb/net/client.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace butterdb::bench {

using seconds = std::chrono::duration<double>;

/// When requests are sent in an open loop.
enum class arrivals : std::uint8_t {
    poisson,  ///< independently of each other, as those of many people are
    even,     ///< at equal distances
};

/// One test: so many clients, each with so many requests, or for so long.
struct load {
    std::size_t clients = 8;
    std::size_t threads = 1;
    std::uint64_t operations = 10'000;  ///< of each client; not counted when there is a duration
    seconds duration{0};
    seconds warm_up{0};        ///< before anything is measured
    std::size_t pipeline = 1;  ///< requests sent together, before their replies are awaited
    /// Requests a second of all clients, sent when they are due whether or not the server keeps up:
    /// an open loop. 0: a closed loop, where each client waits for its replies.
    double rate = 0;
    arrivals spaced = arrivals::poisson;
    bool preload = false;   ///< every key is put before the test
    bool poll = false;      ///< the load tool never sleeps
    std::vector<int> cpus;  ///< that its threads run on, in turn; empty: any
    workload work;

    bool open_loop() const noexcept { return rate > 0; }
};

/// A quarter of a second of a test (a second, in tests longer than a minute).
struct moment {
    seconds at{0};  ///< its end, from the begin of the measurement
    double throughput = 0;
    std::chrono::nanoseconds p50{0};
    std::chrono::nanoseconds p99{0};
    std::chrono::nanoseconds max{0};
    std::uint64_t errors = 0;
};

/// Kinds of errors. Beside these, refusals count under `refused:` and their code (`refused:OOM`).
namespace error_kinds {
inline constexpr const char* wrong_value = "wrong";
inline constexpr const char* lost_write = "lost";
inline constexpr const char* surplus = "surplus";  ///< a reply that no request asked for
inline constexpr const char* connection = "connection";
inline constexpr const char* timeout = "timeout";
}  // namespace error_kinds

/// What one test measured.
struct measurement {
    std::uint64_t operations = 0;  ///< replies
    std::uint64_t due = 0;         ///< open loop: replies due to what was sent
    std::uint64_t gets = 0;
    std::uint64_t hits = 0;
    std::map<std::string, std::uint64_t> errors;  ///< how often, by kind: `error_kinds`
    std::string connection_failure;               ///< why the first lost connection ended
    std::string gave_up;                          ///< why the test ended early; empty: it did not
    seconds elapsed{0};    ///< the duration, or until the last reply where that is later
    histogram latency;     ///< from the send, or in an open loop the time it was due, to the reply
    histogram send_delay;  ///< open loop: how much later than due a request was sent
    std::vector<moment> timeline;
    double client_cpu = 0;  ///< of one core, of the busiest thread of this tool
    std::optional<process_usage>
        server;  ///< used meanwhile; nothing when it is not on this machine

    double throughput() const noexcept;
    std::uint64_t errors_in_all() const noexcept;
    /// Server's CPU in seconds per reply; nothing when it is not known.
    std::optional<double> cpu_per_operation() const noexcept;
    /// Returns whether a reply cannot be right, a write was lost, or a reply too many came.
    bool has_wrong() const noexcept {
        return errors.contains(error_kinds::wrong_value) ||
               errors.contains(error_kinds::lost_write) || has_surplus();
    }
    /// Returns whether a reply too many came. Then no reply is known to belong to a request, and
    /// there are no other figures.
    bool has_surplus() const noexcept { return errors.contains(error_kinds::surplus); }
    bool failed() const noexcept { return errors_in_all() > 0 || !gave_up.empty(); }
};

/// The server under test.
struct target {
    server_address where;
    steady::duration timeout = std::chrono::seconds(10);
    std::optional<std::int64_t> process_id;  ///< where its CPU and memory can be read
};

/// Told as the test goes on, from another thread than the caller's.
using progress = std::function<void(const moment&)>;

/// Runs one test: connects all clients, then drives them, one or two coroutines each. Throws when a
/// client cannot connect, or the server sends what is no reply, or one that is too long.
measurement run_load(const target& server, const load& test, const progress& tell);

/// Puts every key once.
void preload(const target& server, const load& test);

}  // namespace butterdb::bench
