#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace butterdb {

inline constexpr std::size_t KiB = 1024;
inline constexpr std::size_t MiB = 1024 * KiB;

/// Every bound of the server: name, unit, default and reason, in one place.
struct limits {
    // One request.
    std::size_t line_bytes_max = 64 * KiB;     ///< a line without its end; as Redis's inline limit
    std::size_t arguments_max = 65'536;        ///< arguments of one request
    std::uint64_t key_bytes_max = 64 * KiB;    ///< a key (`--max-key`)
    std::uint64_t value_bytes_max = 64 * MiB;  ///< a value (`--max-value`)

    std::uint64_t request_bytes_free = 1 * MiB;  ///< a request beyond its longest argument

    /// The longest argument of a request, bytes.
    std::uint64_t argument_bytes_max() const noexcept {
        return std::max(key_bytes_max, value_bytes_max);
    }
    /// A request in RESP as a whole, bytes.
    std::uint64_t request_bytes_max() const noexcept {
        return argument_bytes_max() + request_bytes_free;
    }

    // One connection.
    std::size_t input_bytes_initial = 2 * KiB;  ///< input buffer while little arrives
    std::size_t input_bytes_steady = 16 * KiB;  ///< input buffer while every read fills it
    std::size_t output_bytes_kept = 4 * KiB;    ///< output buffer while there is no output
    std::chrono::seconds idle_timeout{0};       ///< without a request; 0: none (`--idle-timeout`)
    std::chrono::seconds write_stall{30};       ///< a peer that takes none of its replies
    std::chrono::seconds linger{1};             ///< after the last reply, for the peer to leave
    std::size_t linger_bytes_max = 64 * KiB;    ///< input discarded meanwhile

    std::size_t watched_keys_max = 1'000;       ///< of WATCH
    std::size_t name_bytes_max = 256;           ///< of CLIENT SETNAME and SETINFO
    std::size_t pattern_bytes_max = 1 * KiB;    ///< of KEYS, SCAN and CONFIG GET
    std::uint64_t reply_bytes_max = 512 * MiB;  ///< one reply; as Redis's longest value
    std::size_t scratch_bytes_kept = 64 * KiB;  ///< for values on their way, between requests

    // One turn of a connection, before the others have theirs.
    std::size_t turn_requests_max = 100;
    std::size_t turn_output_bytes_max = 64 * KiB;

    // The server.
    std::size_t clients_max = 10'000;            ///< connections at once (`--max-clients`)
    std::uint64_t memory_bytes_max = 256 * MiB;  ///< the store's ceiling (`--max-memory`)
    std::chrono::seconds drain{10};              ///< after SIGTERM, until connections are cut
    std::size_t drain_bytes_max = 1 * MiB;       ///< of one connection's input taken in after it
    std::size_t farewells_max = 16;              ///< clients too many given time to read why
    std::size_t upkeep_buckets = 1024;           ///< of the store swept at a time
    std::chrono::milliseconds upkeep_pause{1};   ///< between sweeps that find much to do
    std::chrono::milliseconds upkeep_interval{100};  ///< between sweeps that find little
    std::chrono::milliseconds accept_pause{100};     ///< after accept ran out of descriptors
};

/// A client's bytes that an error text may repeat.
inline constexpr std::size_t error_input_bytes_max = 128;

}  // namespace butterdb
