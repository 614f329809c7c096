#pragma once

#include <butterdb/base/budget_resource.hpp>
#include <butterdb/base/limits.hpp>
#include <butterdb/base/settings.hpp>
#include <butterdb/base/step_budget.hpp>
#include <butterdb/base/time.hpp>
#include <butterdb/engine/peer.hpp>
#include <butterdb/protocol/command.hpp>
#include <butterdb/protocol/reply.hpp>
#include <butterdb/protocol/verbs.hpp>
#include <butterdb/store/store.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory_resource>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace butterdb {

/// What a client is told for which there is no place.
inline constexpr std::string_view too_many_clients = "-ERR max number of clients reached\r\n";

/// What INFO says of the process. Core cannot know it.
struct process_facts {
    std::int64_t process_id = 0;
    std::uint16_t tcp_port = 0;  ///< 0: none
    time_point started{};
    std::uint64_t (*resident_bytes)() = nullptr;  ///< memory of the process; null: unknown
};

/// Counters since the start, or since CONFIG RESETSTAT, for INFO.
struct counters {
    std::uint64_t connected_clients = 0;
    std::uint64_t administrative_clients = 0;  ///< beside these, beyond limits::clients_max
    std::uint64_t connections_received = 0;
    std::uint64_t connections_rejected = 0;
    std::uint64_t closed_idle = 0;             ///< past limits::idle_timeout
    std::uint64_t closed_in_request = 0;       ///< past limits::request_timeout
    std::uint64_t closed_unread = 0;           ///< past limits::write_timeout
    std::uint64_t closed_unacknowledged = 0;   ///< past limits::user_timeout
    std::uint64_t closed_unauthenticated = 0;  ///< past limits::login_timeout, or for others
    std::uint64_t closed_foreign = 0;          ///< that spoke another protocol
    std::uint64_t closed_for_memory = 0;       ///< when all clients together held too much
    std::uint64_t commands_processed = 0;
    std::uint64_t passwords_failed = 0;
    std::uint64_t handshakes_failed = 0;  ///< of TLS
    std::uint64_t keyspace_hits = 0;
    std::uint64_t keyspace_misses = 0;
    error_counts errors{};

    /// Writes refused because memory is full.
    std::uint64_t rejected_writes() const noexcept { return errors.of("OOM"); }
};

/// Of one verb.
struct verb_counters {
    std::uint64_t calls = 0;
    std::uint64_t rejected = 0;  ///< that could not be read
};

/// A setting in CONFIG that is no limit.
struct word_setting {
    std::string_view name;
    std::string_view redis_name;          ///< another name for it; empty: none
    std::vector<std::string_view> words;  ///< that it can be set to, lower case; empty: never
    std::function<std::string()> show;
    std::function<void(std::string_view word)> change;  ///< called with one of `words`
};

/// Applies commands to the store: the one place that knows both protocol and store. Each command is
/// an overload of `run`; a command without one does not compile.
class engine {
public:
    /// All outlive the engine; CONFIG SET changes `db` and `lim`. `memory` is for the clients'
    /// buffers, and for what else their requests make the engine keep.
    engine(
        store& db,
        limits& lim,
        std::pmr::memory_resource& memory = *std::pmr::get_default_resource());
    engine(const engine&) = delete;
    engine& operator=(const engine&) = delete;
    ~engine() { db_.take_steps_of(nullptr); }

    /// A client has come, and will leave before the engine ends.
    void add(peer& who);
    void remove(peer& who) noexcept;

    /// Executes a request, or queues it for EXEC, and appends its reply, one but for EXIT in text
    /// and for WAITKEY while it waits. Requires at least one argument. Throws std::bad_alloc when
    /// the reply finds no memory.
    void execute(arguments request, peer& who, flat_buffer& out, time_point now);

    /// A request that could not be read to its end: tells the client why.
    void refuse(const error& why, peer& who, flat_buffer& out);

    /// Tries again what the client waits for. False: it goes on waiting.
    bool resume(peer& who, flat_buffer& out, time_point now);

    /// Returns the time of the call by the wall clock, for TIME: a request's `now` is when its
    /// batch began, in milliseconds. Empty: TIME replies `now`.
    std::function<precise_time_point()> wall_clock;

    /// Called when a write has been refused because memory is full.
    std::function<void()> on_write_refused;

    /// Called when a client begins to wait, for so long at most; without it, for ever. Sets
    /// `peer::waits_until`, by a clock that nobody sets.
    std::function<void(peer& who, std::chrono::milliseconds span)> on_wait;

    /// Asks the processor for what a request about this key will need; see store::expect.
    void expect(std::string_view key) noexcept {
        db_.expect(key);
        ++expected_;
    }
    /// Asks for the rest of what is expected.
    void fetch_expected() noexcept {
        db_.fetch_expected();
        expected_ = 0;
    }
    /// True when the processor would forget more than it is told to remember.
    bool expects_enough() const noexcept { return expected_ >= expected_max; }

    /// How often CONFIG SET has changed settings.
    std::uint64_t settings_changed() const noexcept { return settings_changed_; }

    /// Called when CONFIG SET has changed settings.
    std::function<void()> on_settings;

    /// Wakes who has waited long enough. Gives when somebody will have next.
    std::optional<std::chrono::steady_clock::time_point> wake_late(
        std::chrono::steady_clock::time_point now);

    /// Whether a password lets a client in; empty: everybody is. Set before the first client comes.
    std::function<bool(std::string_view password)> admits;
    /// Returns for how long the answer to a client that tries to authenticate has to wait, whether
    /// its password is right or wrong; empty: no client waits for others' attempts.
    std::function<std::chrono::milliseconds(const peer&, bool is_right)> pace_password;
    /// Called when an administrative client has asked for more, and is told that it has no place.
    std::function<void()> on_refused;
    /// Called when a client has said a wrong password.
    std::function<void(const peer&)> on_wrong_password;

    /// Work that no client waits for, a bounded share of it. True when there is more of it.
    bool upkeep(time_point now) { return db_.sweep(now, limits_.upkeep_buckets); }

    /// Bytes of values that the last request has moved within the store.
    std::size_t bytes_moved() const noexcept { return bytes_moved_; }

    /// Steps that the last request has taken of `limits::request_steps_max`.
    /// Memory that the store gives back to the system takes steps, too, whatever frees it.
    std::uint64_t steps_taken() const noexcept { return steps_.taken(); }

    /// Registrations that WATCH, WAITKEY, writes and leaving clients have looked at so far.
    std::uint64_t registrations_looked_at() const noexcept {
        return watches_.looked_at() + waits_.looked_at();
    }

    /// Comparisons of clients, to find those that hold most, so far. Tests count them.
    std::uint64_t peers_looked_at() const noexcept { return peers_looked_at_; }

    /// Memory of the clients and of everything else that their requests need: `clients_memory`
    /// and what the engine keeps for itself.
    budget_resource& request_memory() noexcept { return request_memory_; }
    const budget_resource& request_memory() const noexcept { return request_memory_; }

    /// Memory of the clients alone, the sum of `peer::memory`: all of it is free once they have
    /// left.
    budget_resource& client_memory() noexcept { return client_memory_; }
    const budget_resource& client_memory() const noexcept { return client_memory_; }

    /// Returns whether the clients may hold `bytes` more before one of them is closed for it.
    bool has_client_memory(std::uint64_t bytes) const noexcept {
        return client_memory_.bytes_used() + bytes <= limits_.client_memory_max() + bytes_shed_;
    }

    /// The clients that have unsent replies and go on sending.
    butterdb::clients_ahead& clients_ahead() noexcept { return clients_ahead_; }

    /// Closes the clients that hold most, until the others hold no more than
    /// `limits::client_memory_max`. Counts only what closing clients frees. O(1) when there is
    /// nothing to do, else O(clients), and O(log clients) for each that is closed.
    void shed_clients() {
        if (client_memory_.bytes_used() > limits_.client_memory_max() + bytes_shed_) {
            close_largest_clients();
        }
    }

    /// Shows a setting of the program in CONFIG too.
    void add_setting(word_setting added) { word_settings_.push_back(std::move(added)); }

    /// Clients that wait for a key.
    std::size_t waiting_clients() const noexcept;

    const store& entries() const noexcept { return db_; }
    const limits& bounds() const noexcept { return limits_; }
    std::span<const verb_counters> count_by_verb() const noexcept { return count_by_verb_; }

    process_facts facts;
    counters count;

private:
    enum class login { admitted, refused, postponed };

    struct turn {
        peer& who;
        flat_buffer& bytes;
        reply_writer out;
        time_point now;
        bool in_transaction;
    };

    void run(const command::set& request, turn& t);
    void run(const command::get& request, turn& t);
    void run(const command::getdel& request, turn& t);
    void run(const command::getex& request, turn& t);
    void run(const command::getttl& request, turn& t);
    void run(const command::mget& request, turn& t);
    void run(const command::mset& request, turn& t);
    void run(const command::append& request, turn& t);
    void run(const command::strlen& request, turn& t);
    void run(const command::getrange& request, turn& t);
    void run(const command::setrange& request, turn& t);
    void run(const command::incrby& request, turn& t);
    void run(const command::incrbyfloat& request, turn& t);

    void run(const command::del& request, turn& t);
    void run(const command::unlink& request, turn& t);
    void run(const command::delprefix& request, turn& t);
    void run(const command::exists& request, turn& t);
    void run(const command::touch& request, turn& t);
    void run(const command::type& request, turn& t);
    void run(const command::rename& request, turn& t);
    void run(const command::copy& request, turn& t);
    void run(const command::randomkey& request, turn& t);
    void run(const command::keys& request, turn& t);
    void run(const command::scan& request, turn& t);
    void run(const command::scan_elements& request, turn& t);
    void run(const command::dbsize& request, turn& t);
    void run(const command::flushall& request, turn& t);

    void run(const command::expire& request, turn& t);
    void run(const command::ttl& request, turn& t);
    void run(const command::persist& request, turn& t);
    void run(const command::time& request, turn& t) const;

    void run(const command::multi& request, turn& t);
    void run(const command::exec& request, turn& t);
    void run(const command::discard& request, turn& t);
    void run(const command::watch& request, turn& t);
    void run(const command::unwatch& request, turn& t);
    void run(const command::waitkey& request, turn& t);

    void run(const command::ping& request, turn& t);
    void run(const command::echo& request, turn& t);
    void run(const command::hello& request, turn& t);
    void run(const command::auth& request, turn& t);
    void run(const command::select& request, turn& t);
    void run(const command::reset& request, turn& t);
    void run(const command::client& request, turn& t);
    void run(const command::quit& request, turn& t);
    void run(const command::exit& request, turn& t);

    void run(const command::info& request, turn& t);
    void run(const command::help& request, turn& t);
    void run(const command::commands& request, turn& t);
    void run(const command::config& request, turn& t);
    void run(const command::memory_usage& request, turn& t);
    void run(const command::function_flush& request, turn& t);

    turn begin(peer& who, flat_buffer& out, time_point now);
    template <typename Act>
    void reply_within_limit(turn& t, Act act);
    void dispatch(const verb& row, arguments request, turn& t);
    void queue(const verb& row, arguments request, turn& t);
    verb_counters& counted(const verb& row) noexcept;
    void reject(arguments request, const verb* known, peer& who, flat_buffer& out);
    void clear_scratch() noexcept;
    struct scratch_cleanup {
        engine& of;
        ~scratch_cleanup() {
            if (!of.scratch_.empty()) {
                of.clear_scratch();
            }
        }
    };
    // A transaction that ends with an empty value may have built a large one before.
    struct transaction_cleanup {
        engine& of;
        ~transaction_cleanup() {
            if (of.scratch_.capacity() > of.limits_.scratch_bytes_kept) {
                of.clear_scratch();
            }
        }
    };
    void refuse_stranger(const verb& row, turn& t);
    login authenticate(const command::credentials& who, turn& t);
    login conclude_login(bool is_right, turn& t) const;
    static void set_stranger(peer& who, bool stranger);
    std::chrono::milliseconds note_wrong_password(peer& who);
    void greet(int protocol, std::optional<std::string_view> name, turn& t);
    void refuse_for_place(peer& who, flat_buffer& out) const;
    void note_administration(peer& who) const;
    void wait(peer& who, std::chrono::milliseconds span) const;
    bool answer_late(peer& who, flat_buffer& out, time_point now);
    bool answer_waiting(peer& who, flat_buffer& out, time_point now);
    void abort_transaction(peer& who) noexcept;
    void forget_watches(peer& who) noexcept;
    bool watched_are_there(const peer& who, time_point now);

    void close_largest_clients();
    void close_for_memory(peer& who);
    void stop_waiting(peer& who) noexcept;
    void changed(std::string_view key);
    bool write(std::string_view key, std::string_view value, time_point deadline, turn& t);
    std::optional<store::entry> look_up(std::string_view key, turn& t);
    bool change_deadline(std::string_view key, time_point deadline, turn& t);
    bool fits(std::string_view key, std::size_t value_bytes, turn& t) const;
    bool may_take_steps(turn& t) const;
    bool may_work(std::uint64_t steps, turn& t);
    bool may_copy(std::size_t bytes, turn& t);
    bool may_free(const store::entry& each, turn& t);
    bool may_free(std::string_view key, turn& t);
    bool may_look_for(std::size_t keys, turn& t);
    void refuse_for_memory(turn& t) const;
    bool move_value(std::string_view from, std::string_view to, turn& t);
    void expect_all(arguments keys);
    std::optional<std::size_t> erase_all(arguments keys, turn& t);
    void reply_how_many(arguments keys, turn& t);
    void reply_value(const std::optional<store::entry>& found, turn& t);
    void list_clients(arguments words, turn& t);
    void kill_clients(arguments words, turn& t);
    bool is_clean_name(std::string_view what, std::string_view name, turn& t) const;
    void set_client_info(std::string_view attribute, std::string_view value, turn& t) const;
    static void set_no_evict(std::string_view word, turn& t);
    bool is_short_pattern(std::string_view pattern, turn& t) const;
    static void describe_commands(arguments names, turn& t);
    static void document_commands(arguments names, turn& t);
    void add_word_settings();
    const word_setting* find_word(std::string_view name) const;
    // What a name in CONFIG means: one of both, or neither.
    struct any_setting {
        const setting* limit = nullptr;
        const word_setting* word = nullptr;
        bool operator==(const any_setting&) const = default;
    };
    result<std::vector<any_setting>> find_settings(arguments pairs) const;
    void get_settings(arguments patterns, turn& t);
    void change_settings(arguments pairs, turn& t);

    store& db_;
    limits& limits_;
    std::vector<word_setting> word_settings_;
    std::vector<verb_counters> count_by_verb_;
    budget_resource request_memory_;
    budget_resource client_memory_{budget_resource::part_of(request_memory_)};
    static constexpr std::size_t expected_max = 2'048;  // keys, of three cache lines each

    std::uint64_t settings_changed_ = 0;
    std::size_t expected_ = 0;      // keys since the last `fetch_expected`
    std::uint64_t bytes_shed_ = 0;  // held by clients that are being closed for it
    butterdb::clients_ahead clients_ahead_;
    key_watch watches_;  // of WATCH
    key_watch waits_;    // of WAITKEY
    peer* first_peer_ = nullptr;
    peer* last_peer_ = nullptr;
    std::uint64_t peers_seen_ = 0;
    std::uint64_t peers_looked_at_ = 0;
    std::uint64_t keys_drawn_ = 0;                // of RANDOMKEY
    std::pmr::string scratch_{&request_memory_};  // a value on its way back into the store
    std::size_t bytes_moved_ = 0;
    step_budget steps_;  // of the request
};

}  // namespace butterdb
