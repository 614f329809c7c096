#pragma once

#include <butterdb/base/budget_resource.hpp>
#include <butterdb/base/time.hpp>
#include <butterdb/protocol/command.hpp>
#include <butterdb/protocol/reply.hpp>
#include <butterdb/store/store.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <memory_resource>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace butterdb {

/// Requests that MULTI keeps for EXEC: copies, one behind the other.
class request_queue {
public:
    explicit request_queue(std::pmr::memory_resource& memory)
        : bytes_(&memory), sizes_(&memory), counts_(&memory) {}

    /// Adds a request; all of them are to take `bytes_max` bytes at most. Throws std::bad_alloc;
    /// then nothing has been added.
    void add(arguments request, std::size_t bytes_max);

    /// Calls act(arguments) for each, in order.
    template <typename Act>
    void for_each(Act act) const {
        std::pmr::vector<std::string_view> request(sizes_.get_allocator());
        std::size_t at = 0;
        std::size_t size = 0;
        for (const auto count : counts_) {
            request.clear();
            for (std::size_t i = 0; i < count; ++i) {
                request.emplace_back(bytes_.data() + at, sizes_[size]);
                at += sizes_[size++];
            }
            act(arguments(request));
        }
    }

    std::size_t size() const noexcept { return counts_.size(); }
    /// What it takes in memory, about.
    std::size_t bytes() const noexcept {
        return bytes_.size() + (sizes_.size() + counts_.size()) * sizeof(std::size_t);
    }

    /// Takes out what is in it.
    request_queue take() { return std::move(*this); }

private:
    std::pmr::vector<char> bytes_;          // a string would double however little is needed
    std::pmr::vector<std::size_t> sizes_;   // of each argument
    std::pmr::vector<std::size_t> counts_;  // of each request's arguments
};

/// Clients choose the keys that tables of theirs have: without the secret, they could have all of
/// them collide.
class keyed_hash {
public:
    using is_transparent = void;

    explicit keyed_hash(const hash_secret& secret) noexcept : secret_(&secret) {}
    std::size_t operator()(std::string_view key) const noexcept {
        return static_cast<std::size_t>(secret_hash(key, *secret_));
    }

private:
    const hash_secret* secret_;
};

/// A client that has unsent replies and goes on sending: what it holds, in the list of those.
struct client_ahead {
    std::uint64_t bytes = 0;  ///< of its input and output buffers
    bool is_listed = false;
    std::list<client_ahead*>::iterator place{};
};

/// The clients whose requests are read, and perhaps executed, while their replies wait to be sent:
/// what they hold together. They are in the order in which they came.
class clients_ahead {
public:
    /// Notes what the client holds now. A client that finds no place in the list, since memory is
    /// exhausted, may not grow.
    void update(client_ahead& client, std::uint64_t bytes) noexcept;
    void remove(client_ahead& client) noexcept;

    /// Returns whether the client may hold more: as long as all of them together hold less than
    /// `bytes_max`. The first may always, so that not all of them wait for each other.
    bool may_grow(const client_ahead& client, std::uint64_t bytes_max) const noexcept {
        return client.is_listed && (bytes_ < bytes_max || all_.front() == &client);
    }

    std::uint64_t bytes() const noexcept { return bytes_; }

private:
    std::list<client_ahead*> all_;
    std::uint64_t bytes_ = 0;
};

struct peer;

/// A client in the list of those that are registered with a key.
struct registration {
    std::string_view key{};  ///< in memory of the client
    peer* client = nullptr;  ///< null: registered with none
    registration* previous = nullptr;
    registration* next = nullptr;
};

/// A client as the engine knows it. Lies in its conversation.
struct peer {
    struct watched_key {
        bool existed;
        registration at{};
    };
    using watched_keys =
        std::pmr::unordered_map<std::pmr::string, watched_key, keyed_hash, std::equal_to<>>;

    /// `clients_memory` is what all clients' memory comes from. Both outlive the peer.
    peer(budget_resource& clients_memory, const hash_secret& secret)
        : memory(budget_resource::part_of(clients_memory)),
          watching(0, keyed_hash(secret), std::equal_to<>(), &memory) {}
    peer(const peer&) = delete;
    peer& operator=(const peer&) = delete;
    ~peer() = default;

    /// Counts its buffers, what TLS holds for it, and what its requests make the server keep.
    budget_resource memory;

    dialect speaks = dialect::text;
    bool leaving = false;  ///< nothing that follows is executed: QUIT, EXIT, CLIENT KILL, a fault

    // Authentication.
    /// An attempt that is judged, and answered later.
    struct postponed_login {
        struct greeting {
            int version;
            std::optional<std::string> name;
        };

        bool is_right;
        std::optional<greeting> hello;  ///< empty: AUTH
    };

    bool stranger = false;          ///< has not said the password yet
    bool administrative = false;    ///< beyond limits::clients_max: only a few verbs are executed
    unsigned passwords_failed = 0;  ///< in a row
    std::uint64_t network = 0;      ///< that it comes from, see peer_origin
    std::unique_ptr<postponed_login> login;  ///< null: the last attempt is answered

    // A transaction.
    bool queueing = false;  ///< between MULTI and EXEC
    bool spoilt = false;    ///< one of its requests could not be queued: EXEC refuses
    bool outdated = false;  ///< a watched key has changed: EXEC does nothing
    request_queue queue{memory};
    watched_keys watching;

    // WAITKEY: nothing else of this client runs until it has an answer.
    std::optional<std::pmr::string> waits_for;  ///< a key
    registration waiting{};                     ///< with that key
    bool late = false;                          ///< it has waited as long as it is to
    bool woken = false;                         ///< worth another try
    /// For who calls `engine::wake_late`: until when it waits.
    std::chrono::steady_clock::time_point waits_until{};

    /// True while nothing of this client runs.
    bool parked() const noexcept { return waits_for || login != nullptr; }

    // For CLIENT LIST.
    std::uint64_t id = 0;
    std::string name;
    std::string library;
    std::string library_version;
    time_point connected{};
    time_point last_request{};
    std::string_view last_verb;

    client_ahead ahead;

    // When all clients together hold too much.
    bool exempt = false;           ///< not to be closed for it: CLIENT NO-EVICT
    std::uint64_t bytes_shed = 0;  ///< what it held when it was closed for it
    peer* heap_child = nullptr;    ///< of the engine's, while it looks for the largest
    peer* heap_next = nullptr;

    /// The address of its end of the connection; empty: there is none.
    std::function<std::string()> address;
    /// Called when `stranger` has changed; empty: there is no need.
    std::function<void()> login_changed;
    /// Called when an administrative client, authenticated where that is asked for, has sent a
    /// request that it may send; empty: there is no need.
    std::function<void()> administration_proved;
    /// Cuts the connection; empty: there is none.
    std::function<void()> cut;
    /// Has the session call `engine::resume`.
    std::function<void()> wake;

    /// What it waits for may be there, or is late.
    void rouse() {
        woken = true;
        if (wake) {
            wake();
        }
    }

    peer* previous = nullptr;
    peer* next = nullptr;
};

/// The clients that are registered with each key, in the order in which they came. What a
/// registration takes is memory of its client, but for one small node for each key.
class key_watch {
public:
    /// Both outlive it.
    key_watch(std::pmr::memory_resource& memory, const hash_secret& secret)
        : keys_(0, keyed_hash(secret), std::equal_to<>(), &memory) {}

    /// Registers a client with a key, unless `at` is registered already. `key` and `at` stay where
    /// they are until it is removed. Throws std::bad_alloc; then nothing has changed. O(1).
    void add(registration& at, std::string_view key, peer& client);
    /// Does nothing if `at` is not registered. O(1).
    void remove(registration& at) noexcept;

    /// Removes all registrations with a key, and calls act(peer) for each. So a key that is written
    /// again and again costs each registration once.
    template <typename Act>
    void take_all(std::string_view key, Act act) {
        auto* next = keys_.empty() ? nullptr : take_list(key);
        while (next != nullptr) {
            auto& each = *std::exchange(next, next->next);
            auto& client = *each.client;
            each = registration();
            ++looked_at_;
            act(client);
        }
    }

    /// Registrations that have been looked at so far. Tests count them.
    std::uint64_t looked_at() const noexcept { return looked_at_; }

private:
    struct list {
        registration* first = nullptr;
        registration* last = nullptr;
    };

    registration* take_list(std::string_view key) noexcept;
    void shrink() noexcept;

    // Each key is that of the first in its list.
    std::pmr::unordered_map<std::string_view, list, keyed_hash, std::equal_to<>> keys_;
    std::uint64_t looked_at_ = 0;
};

}  // namespace butterdb
