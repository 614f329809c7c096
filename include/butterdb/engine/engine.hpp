#pragma once

#include <butterdb/base/limits.hpp>
#include <butterdb/base/time.hpp>
#include <butterdb/protocol/command.hpp>
#include <butterdb/protocol/reply.hpp>
#include <butterdb/store/store.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace butterdb {

/// What INFO says of the process. Core cannot know it.
struct process_facts {
    std::int64_t process_id = 0;
    std::uint16_t tcp_port = 0;  ///< 0: none
    time_point started{};
};

/// Counters since the start, for INFO.
struct counters {
    std::uint64_t connected_clients = 0;
    std::uint64_t connections_received = 0;
    std::uint64_t connections_rejected = 0;
    std::uint64_t commands_processed = 0;
    std::uint64_t keyspace_hits = 0;
    std::uint64_t keyspace_misses = 0;
};

/// What the engine keeps of the connection that sent a command.
struct peer {
    bool leaving = false;  ///< set by QUIT and EXIT: nothing that follows is executed
};

/// Applies commands to the store: the one place that knows both protocol and store. Each command is
/// an overload of `run`; a command without one does not compile.
class engine {
public:
    /// `db` outlives the engine.
    engine(store& db, const limits& lim) noexcept : db_(db), limits_(lim) {}

    /// Applies `request` at `now` and appends exactly one reply.
    void execute(const command::any& request, peer& who, reply_writer& out, time_point now);

    /// Work that no client waits for, a bounded share of it. True when there is more of it.
    bool upkeep(time_point now) { return db_.sweep(now, limits_.upkeep_buckets); }

    process_facts facts;
    counters count;

private:
    struct turn {
        peer& who;
        reply_writer& out;
        time_point now;
    };

    void run(const command::set& request, turn& t);
    void run(const command::get& request, turn& t);
    void run(const command::del& request, turn& t);
    void run(const command::exists& request, turn& t);
    void run(const command::dbsize& request, turn& t);
    void run(const command::flushall& request, turn& t);
    void run(const command::ping& request, turn& t);
    void run(const command::echo& request, turn& t);
    void run(const command::help& request, turn& t);
    void run(const command::info& request, turn& t);
    void run(const command::quit& request, turn& t);
    void run(const command::exit& request, turn& t);

    store& db_;
    const limits& limits_;
};

}  // namespace butterdb
