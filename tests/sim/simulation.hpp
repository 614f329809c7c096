#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

namespace butterdb::test::sim {

/// Something that must hold did not.
class broken_promise : public std::logic_error {
public:
    using std::logic_error::logic_error;
};

/// What one run did.
struct tally {
    std::uint64_t requests = 0;  ///< sent by clients
    std::uint64_t steps = 0;     ///< of the simulation
    std::uint64_t connections = 0;
    std::uint64_t cut = 0;  ///< connections that the server closed for being late or large
    std::uint64_t failed_accepts = 0;
    std::uint64_t refused_writes = 0;   ///< allocations of the store that failed
    std::uint64_t broken_sessions = 0;  ///< that ended because a client's memory failed
    std::uint64_t drained_early = 0;

    friend bool operator==(const tally&, const tally&) = default;
};

/// One run of a whole server, with real sessions over a simulated network, in simulated time: the
/// seed decides who connects and what they say, how bytes are cut and delayed, whose turn it is,
/// which faults happen and which limits hold. The same seed does the same again. Throws
/// broken_promise, or wrong_reply, when
///
/// - a turn's replies are not those of the reference in the order in which the server takes turns,
///   or answer what has not arrived (so a reply lies between its request and its receipt);
/// - a client receives other bytes, or another order of them, than were written for it;
/// - a client that behaves is closed early, or does not get all replies of what was executed;
/// - a client that behaves is not done when faults have stopped and time goes on;
/// - the store does not have exactly what the replies promised, or does not count its bytes exactly
///   after each step, or is not back at its first size when everything is deleted;
/// - sessions, buffers or connections are left when the server has drained, or the drain takes
///   longer than it may.
tally simulate(std::uint64_t seed);

}  // namespace butterdb::test::sim
