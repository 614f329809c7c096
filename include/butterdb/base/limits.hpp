#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace butterdb {

inline constexpr std::size_t KiB = 1024;
inline constexpr std::size_t MiB = 1024 * KiB;

/// Every bound of the server: name, unit, default and reason, in one place. Those with an option
/// are rows of the table in base/settings.hpp.
struct limits {
    // One request.
    std::uint64_t line_bytes_max = 64 * KiB;   ///< a line without its end; as Redis's inline limit
    std::uint64_t arguments_max = 65'536;      ///< arguments of one request
    std::uint64_t key_bytes_max = 64 * KiB;    ///< a key
    std::uint64_t value_bytes_max = 64 * MiB;  ///< a value
    std::uint64_t request_bytes = 0;           ///< in RESP as a whole; 0: see request_bytes_max

    /// The longest argument of a request, bytes.
    std::uint64_t argument_bytes_max() const noexcept {
        return std::max(key_bytes_max, value_bytes_max);
    }
    /// A request in RESP as a whole, bytes: unless set, a key and a value with room to spare.
    std::uint64_t request_bytes_max() const noexcept {
        const auto needed = key_bytes_max + value_bytes_max + 64 * KiB;
        return request_bytes != 0 ? request_bytes : std::max<std::uint64_t>(needed, 1 * MiB);
    }
    /// What one connection's unread input may come to, bytes: the conversation takes what is over
    /// its limits off before.
    std::uint64_t input_bytes_max() const noexcept {
        return 2 * std::max({request_bytes_max(), line_bytes_max, input_bytes_steady});
    }

    // A client that has not said the password, where one is asked for.
    std::uint64_t stranger_arguments_max = 10;
    std::uint64_t stranger_bulk_bytes_max = 16 * KiB;
    std::uint64_t stranger_request_bytes_max = 64 * KiB;
    std::uint64_t stranger_output_bytes_max = 1 * KiB;  ///< instead of output_bytes_max
    std::chrono::seconds stranger_write_timeout{1};     ///< instead of write_timeout
    std::chrono::seconds login_timeout{30};  ///< from accept to the password, whatever is sent
    /// One in so many of `clients_max` places for those that have not said it: then the oldest of
    /// them is closed for the next.
    std::uint64_t login_share = 4;
    unsigned passwords_prompt = 3;  ///< wrong ones in a row that are answered at once
    unsigned passwords_max = 10;    ///< wrong ones in a row before the connection is closed
    /// The first answer on a connection after those is so late, each further one twice as late. And
    /// for all connections of a network together, between two answers after those.
    std::chrono::milliseconds password_delay{100};
    /// Of an answer, at most, for what other connections of its network have said.
    std::chrono::milliseconds password_wait_max{5'000};
    std::uint64_t password_bytes_max = 512;

    // One connection.
    std::uint64_t input_bytes_initial = 2 * KiB;  ///< input buffer while little arrives
    std::uint64_t input_bytes_steady = 16 * KiB;  ///< input buffer while every read fills it
    std::uint64_t output_bytes_max = 64 * KiB;    ///< replies gathered before they are sent
    std::uint64_t pending_output = 0;             ///< unsent replies; 0: see pending_output_max
    std::uint64_t read_ahead_bytes = 1 * MiB;     ///< read before one is executed, while they wait
    std::uint64_t output_bytes_kept = 4 * KiB;    ///< output buffer while there is no output
    std::uint64_t reply_bytes_max = 512 * MiB;    ///< one reply; as Redis's longest value
    std::uint64_t linger_bytes_max = 64 * KiB;    ///< input discarded after the last reply
    std::uint64_t watched_keys_max = 1'000;       ///< of WATCH
    std::uint64_t name_bytes_max = 256;           ///< of CLIENT SETNAME and SETINFO
    std::uint64_t pattern_bytes_max = 1 * KiB;    ///< of KEYS and SCAN; all of a CONFIG GET
    std::uint64_t scan_keys_max = 10'000;         ///< of one SCAN or DELPREFIX, whatever its COUNT
    std::uint64_t request_steps_max = 4'000'000;  ///< of walking, matching and copying in a request
    std::uint64_t keys_steps = 1'024;             ///< more of them for each key, of KEYS
    std::uint64_t queued_requests_max = 10'000;   ///< of MULTI
    std::uint64_t scratch_bytes_kept = 64 * KiB;  ///< for values on their way, between requests

    // How long a connection may take.
    std::chrono::seconds idle_timeout{0};        ///< without a request; 0: for ever
    std::chrono::seconds request_timeout{30};    ///< from a request's first byte to its last
    std::chrono::seconds write_timeout{30};      ///< a peer that takes none of its replies
    std::chrono::seconds handshake_timeout{10};  ///< of TLS, instead of a longer request_timeout
    std::chrono::seconds linger{1};              ///< after the last reply, for the peer to leave
    std::chrono::seconds tcp_keepalive{300};     ///< of silence before the peer is probed; 0: never
    std::chrono::seconds tcp_user_timeout{60};  ///< unacknowledged bytes or probes; 0: the system's

    /// After `write_timeout`, before the system may reset the connection in its stead, uncounted.
    std::chrono::seconds user_timeout_reserve{5};

    /// TCP_USER_TIMEOUT of a connection. Linux lets it run while the peer's window is closed, too:
    /// a client that pauses reading has at least `write_timeout`. 0: the system's.
    std::chrono::seconds user_timeout() const noexcept {
        return tcp_user_timeout.count() == 0
                   ? tcp_user_timeout
                   : std::max(tcp_user_timeout, write_timeout + user_timeout_reserve);
    }

    // One turn of a connection, before the others have theirs.
    std::uint64_t turn_requests_max = 100;
    std::chrono::microseconds turn_time_max{200};

    // The server.
    std::uint64_t clients_max = 10'000;  ///< connections at once
    /// Connections from loopback or the unix socket beyond `clients_max`, for administration, and
    /// how long one may take to authenticate and between two requests. One that has sent no request
    /// for the silence makes room for another.
    std::uint64_t administrators_max = 16;  ///< one of them over the unix socket
    std::chrono::seconds administration_timeout{2};
    std::chrono::milliseconds administration_silence{500};
    std::uint64_t handshakes_max = 512;          ///< of TLS at once; one takes 40 to 150 KiB
    std::uint64_t handshake_share = 2;           ///< all of them take one in so many parts of time
    std::uint64_t memory_bytes_max = 256 * MiB;  ///< the store's ceiling
    std::uint64_t client_memory = 0;             ///< all clients' buffers; 0: see client_memory_max
    /// One in so many bytes of it for all strangers, and for all whom CLIENT NO-EVICT exempts.
    std::uint64_t client_memory_share = 4;
    /// One in so many bytes of it that no single reply takes: it is for all other buffers, and for
    /// what the reply's own buffer grows beyond its need.
    static constexpr std::uint64_t client_memory_reserve = 32;
    std::uint64_t backlog_max = 1024;  ///< connections not accepted yet; the system may take fewer
    std::chrono::seconds drain{10};    ///< after SIGTERM, until the process ends
    std::chrono::milliseconds drain_reserve{250};  ///< of it, for what follows the cut connections
    std::uint64_t drain_bytes_max = 1 * MiB;       ///< of one connection's input taken in after it
    std::chrono::milliseconds drain_look{20};      ///< then between looks at who has all replies
    std::uint64_t accepts_max = 16;                ///< connections accepted in one turn
    std::uint64_t farewells_max = 16;              ///< clients too many given time to read why
    std::uint64_t upkeep_buckets = 1024;           ///< of the store swept at a time
    std::chrono::milliseconds upkeep_pause{1};     ///< between sweeps that find much to do
    std::chrono::milliseconds upkeep_interval{100};  ///< between sweeps that find little
    std::chrono::microseconds poll_max{
        50};  ///< for work before falling asleep, if it pays; 0: never
    std::chrono::milliseconds accept_pause{100};  ///< after accept ran out of descriptors

    /// Connections that the system's descriptors allow: `clients_max` is at most that.
    std::uint64_t clients_possible = std::numeric_limits<std::uint64_t>::max();

    /// Connections that have not authenticated, or whose TLS handshake is not done: their share of
    /// `clients_max`, and where that is small, some that can log in at the same time.
    std::uint64_t unauthenticated_max() const noexcept {
        constexpr std::uint64_t least = 4;
        const auto others = clients_max - std::min<std::uint64_t>(clients_max, 1);
        return std::max({clients_max / login_share, std::min(least, others), std::uint64_t{1}});
    }

    /// After SIGTERM, until connections are cut.
    std::chrono::milliseconds drain_patience() const noexcept {
        return std::max(drain - drain_reserve, std::chrono::milliseconds::zero());
    }

    /// Bytes of all clients' buffers together: unless set, a tenth of the store's ceiling, and at
    /// least what one client needs that sends the longest value and receives another.
    std::uint64_t client_memory_max() const noexcept {
        return client_memory != 0 ? client_memory
                                  : std::max(memory_bytes_max / 10, 2 * value_bytes_max + 1 * MiB);
    }

    /// Bytes of replies that wait for one client which is still sending: unless set, a quarter of
    /// what all clients may hold.
    std::uint64_t pending_output_max() const noexcept {
        return pending_output != 0 ? pending_output : client_memory_max() / 4;
    }

    /// One reply, bytes: it lies in the memory that all clients' buffers share.
    std::uint64_t reply_bytes_allowed() const noexcept {
        const auto shared = client_memory_max();
        return std::min(reply_bytes_max, shared - shared / client_memory_reserve);
    }
};

/// A client's bytes that an error text may repeat.
inline constexpr std::size_t error_input_bytes_max = 128;

/// The longest reply that `butterdb-client` keeps, in bytes: the server's default of `--max-reply`.
/// A server cannot fill the memory of its client.
inline constexpr std::size_t client_reply_bytes_max = 512 * MiB;

}  // namespace butterdb
