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

    /// Throws std::bad_alloc; then nothing has been added.
    void add(arguments request);

    /// Calls act(arguments) for each, in order.
    template <typename Act>
    void for_each(Act act) const {
        std::vector<std::string_view> request;
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
    std::pmr::string bytes_;
    std::pmr::vector<std::size_t> sizes_;   // of each argument
    std::pmr::vector<std::size_t> counts_;  // of each request's arguments
};

/// A client as the engine knows it. Lies in its conversation.
struct peer {
    struct watched_key {
        std::pmr::string key;
        bool existed;
    };

    /// `clients_memory` is what all clients' memory comes from.
    explicit peer(std::pmr::memory_resource& clients_memory) : memory(clients_memory) {}
    peer(const peer&) = delete;
    peer& operator=(const peer&) = delete;
    ~peer() = default;

    /// Of its buffers, and of all else that its requests make the server keep.
    budget_resource memory;

    dialect speaks = dialect::text;
    bool leaving = false;  ///< nothing that follows is executed: QUIT, EXIT, CLIENT KILL, a fault

    // Who it is.
    bool stranger = false;          ///< has not said the password yet
    unsigned passwords_failed = 0;  ///< in a row
    bool made_to_wait = false;      ///< for the answer to the last one

    // A transaction.
    bool queueing = false;  ///< between MULTI and EXEC
    bool spoilt = false;    ///< one of its requests could not be queued: EXEC refuses
    bool outdated = false;  ///< a watched key has changed: EXEC does nothing
    request_queue queue{memory};
    std::pmr::vector<watched_key> watching{&memory};

    // WAITKEY: nothing else of this client runs until it has an answer.
    std::optional<std::pmr::string> waits_for;  ///< a key
    bool late = false;                          ///< it has waited as long as it is to
    bool woken = false;                         ///< worth another try
    /// For who calls `engine::wake_late`: until when it waits.
    std::chrono::steady_clock::time_point waits_until{};

    /// True while nothing of this client runs.
    bool parked() const noexcept { return waits_for || made_to_wait; }

    // For CLIENT LIST.
    std::uint64_t id = 0;
    std::string name;
    std::string library;
    std::string library_version;
    time_point connected{};
    time_point last_request{};
    std::string_view last_verb;

    // When all clients together hold too much.
    bool exempt = false;           ///< not to be closed for it: CLIENT NO-EVICT
    std::uint64_t bytes_shed = 0;  ///< what it held when it was closed for it

    /// The address of its end of the connection; empty: there is none.
    std::function<std::string()> address;
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

/// Who watches which key.
class key_watch {
public:
    /// Clients choose the keys: without the secret they could have all of them collide.
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

    /// Both outlive it.
    key_watch(std::pmr::memory_resource& memory, const hash_secret& secret)
        : watchers_(0, keyed_hash(secret), std::equal_to<>(), &memory) {}

    /// Throws std::bad_alloc; then nothing has changed.
    void add(std::string_view key, peer& who);
    void remove(std::string_view key, const peer& who) noexcept;
    bool has(std::string_view key, const peer& who) const noexcept;

    /// Calls act(peer) for everybody who watches the key.
    template <typename Act>
    void for_each_watcher(std::string_view key, Act act) const {
        if (watchers_.empty()) {
            return;
        }
        const auto found = watchers_.find(key);
        if (found != watchers_.end()) {
            std::ranges::for_each(found->second, [&](peer* each) { act(*each); });
        }
    }

private:
    void drop_unwatched(std::string_view key) noexcept;

    std::pmr::unordered_map<std::pmr::string, std::pmr::vector<peer*>, keyed_hash, std::equal_to<>>
        watchers_;
};

}  // namespace butterdb
