#pragma once

#include <butterdb/base/limits.hpp>
#include <butterdb/base/time.hpp>
#include <butterdb/protocol/reply.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace butterdb::test {

/// A request as a client means it: verb and arguments.
using words = std::vector<std::string>;

/// A server said what it may not say.
class wrong_reply : public std::logic_error {
public:
    using std::logic_error::logic_error;
};

/// Replies of a server, read from the front.
class reply_cursor {
public:
    explicit reply_cursor(std::string_view bytes) : rest_(bytes) {}

    bool empty() const { return rest_.empty(); }
    std::string_view rest() const { return rest_; }
    bool next_is(std::string_view prefix) const { return rest_.starts_with(prefix); }

    /// What comes next is just this. Throws wrong_reply.
    void take(std::string_view exactly);
    /// What comes next is a line that begins so. Throws wrong_reply.
    void take_line(std::string_view prefix);

private:
    std::string_view rest_;
};

/// What a ButterDB has to answer, written down a second time and as simply as can be: a std::map, a
/// copy of every request, replies made of strings. It follows the server where that is free: a
/// write may be refused when memory fails. Source: docs/protocol.md.
class reference {
public:
    struct entry {
        std::string value;
        time_point deadline;

        friend bool operator==(const entry&, const entry&) = default;
    };

    /// What has happened to a key.
    struct history {
        bool existed = false;
        std::uint64_t changes = 0;  ///< so far
        std::uint64_t doubts = 0;   ///< times when it may have changed, and is as it was
    };

    /// One connection.
    struct client {
        dialect speaks = dialect::text;
        bool stranger = false;
        unsigned passwords_failed = 0;
        bool leaving = false;
        bool queueing = false;
        bool spoilt = false;
        std::vector<words> queue;
        /// Each watched key, as it was.
        std::map<std::string, history> watched;
    };

    explicit reference(const limits& lim) : limits_(lim) {}

    /// The server answers the request with what `said` begins with. Throws wrong_reply.
    void answer(client& who, const words& request, reply_cursor& said, time_point now);

    /// The server refuses what cannot be read, or is too long, with a line that gives the reason.
    void refuse(client& who, std::string_view reason, reply_cursor& said);

    /// The entry, unless absent or past its deadline.
    const entry* find(const std::string& key, time_point now) const;

    /// Takes over what a store has, nothing or an entry, after somebody may have changed it.
    void adopt(const std::string& key, std::optional<entry> actual);

    /// Keys of entries that are past their deadline, and still known.
    std::vector<std::string> expired(time_point now) const;
    /// The entry is gone for good, which changes nothing that anybody sees.
    void forget(const std::string& key) { entries_.erase(key); }

    /// All entries that are there at `now`.
    std::map<std::string, entry> entries(time_point now) const;

    std::string password;              ///< that clients have to say; empty: none
    bool memory_may_fail = false;      ///< OOM is a right answer to every write
    bool may_give_up_waiting = false;  ///< null is a right answer to WAITKEY at once
    time_point uptime{};               ///< by a clock that nobody sets
    time_point waits_since{};          ///< by the same: when the request to be answered had arrived

private:
    struct exchange;
    using handler = void (reference::*)(exchange&);

    static handler find_handler(const std::string& verb);
    void execute(exchange& e);
    bool store(exchange& e, const std::string& key, std::string value, time_point deadline);
    bool remove(const std::string& key, time_point now);
    bool fits(exchange& e, const std::string& key, std::size_t value_bytes) const;
    void leave_transaction(client& who);

    void put(exchange& e);
    void get(exchange& e);
    void getdel(exchange& e);
    void getttl(exchange& e);
    void del(exchange& e);
    void exists(exchange& e);
    void mget(exchange& e);
    void mset(exchange& e);
    void append(exchange& e);
    void strlen(exchange& e);
    void incrby(exchange& e);
    void rename(exchange& e);
    void pexpire(exchange& e);
    void pttl(exchange& e);
    void persist(exchange& e);
    void flushall(exchange& e);
    void multi(exchange& e);
    void exec(exchange& e);
    void discard(exchange& e);
    void watch(exchange& e);
    void unwatch(exchange& e);
    void waitkey(exchange& e);
    void ping(exchange& e);
    void echo(exchange& e);
    void auth(exchange& e);
    void reset(exchange& e);
    void quit(exchange& e);
    void exit(exchange& e);

    const limits& limits_;
    std::map<std::string, entry> entries_;
    std::map<std::string, history> histories_;
};

}  // namespace butterdb::test
