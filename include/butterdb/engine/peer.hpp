#pragma once

#include <butterdb/base/time.hpp>
#include <butterdb/protocol/command.hpp>
#include <butterdb/protocol/reply.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace butterdb {

/// Requests that MULTI keeps for EXEC: copies, one behind the other.
class request_queue {
public:
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

private:
    std::string bytes_;
    std::vector<std::size_t> sizes_;   // of each argument
    std::vector<std::size_t> counts_;  // of each request's arguments
};

/// A client as the engine knows it. Lies in its conversation.
struct peer {
    struct watched_key {
        std::string key;
        bool existed;
    };

    dialect speaks = dialect::text;
    bool leaving = false;  ///< set by QUIT and EXIT: nothing that follows is executed

    // A transaction.
    bool queueing = false;  ///< between MULTI and EXEC
    bool spoilt = false;    ///< one of its requests could not be queued: EXEC refuses
    bool outdated = false;  ///< a watched key has changed: EXEC does nothing
    request_queue queue;
    std::vector<watched_key> watching;

    // WAITKEY: nothing else of this client runs until it has an answer.
    std::optional<std::string> waits_for;  ///< a key
    time_point waits_until{};
    bool woken = false;  ///< worth another try

    // For CLIENT LIST.
    std::uint64_t id = 0;
    std::string name;
    std::string library;
    std::string library_version;
    std::string address;  ///< of its end of the connection
    time_point connected{};
    time_point last_request{};
    std::string_view last_verb;

    /// Cuts the connection; empty: there is none.
    std::function<void()> cut;
    /// Has the session call `engine::resume`.
    std::function<void()> wake;

    peer* previous = nullptr;
    peer* next = nullptr;
};

/// Who watches which key.
class key_watch {
public:
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

    template <typename Act>
    void for_each_key(Act act) const {
        for (const auto& [key, peers] : watchers_) {
            act(std::string_view(key));
        }
    }

private:
    struct hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view key) const noexcept {
            return std::hash<std::string_view>()(key);
        }
    };

    std::unordered_map<std::string, std::vector<peer*>, hash, std::equal_to<>> watchers_;
};

}  // namespace butterdb
