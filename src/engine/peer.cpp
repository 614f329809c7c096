#include <butterdb/base/flat_buffer.hpp>
#include <butterdb/engine/peer.hpp>

#include <algorithm>
#include <new>
#include <utility>

namespace butterdb {

void request_queue::add(arguments request, std::size_t bytes_max) {
    std::size_t bytes = bytes_.size();
    for (const auto each : request) {
        bytes += each.size();
    }
    const auto make_room = [&](auto& all, std::size_t needed) {
        if (all.capacity() < needed) {
            all.reserve(grown_capacity(all.capacity(), needed, bytes_max / sizeof all[0]));
        }
    };
    make_room(bytes_, bytes);
    make_room(sizes_, sizes_.size() + request.size());
    make_room(counts_, counts_.size() + 1);
    for (const auto each : request) {
        bytes_.insert(bytes_.end(), each.begin(), each.end());
        sizes_.push_back(each.size());
    }
    counts_.push_back(request.size());
}

void clients_ahead::update(client_ahead& client, std::uint64_t bytes) noexcept {
    if (!client.is_listed) {
        try {
            client.place = all_.insert(all_.end(), &client);
        } catch (const std::bad_alloc&) {
            return;
        }
        client.is_listed = true;
    }
    bytes_ += bytes - client.bytes;
    client.bytes = bytes;
}

void clients_ahead::remove(client_ahead& client) noexcept {
    if (client.is_listed) {
        bytes_ -= client.bytes;
        all_.erase(client.place);
        client = client_ahead();
    }
}

void key_watch::add(registration& at, std::string_view key, peer& client) {
    if (at.client != nullptr) {
        return;
    }
    auto& in = keys_.try_emplace(key).first->second;
    at = {key, &client, in.last, nullptr};
    (in.last == nullptr ? in.first : in.last->next) = &at;
    in.last = &at;
    ++looked_at_;
}

void key_watch::remove(registration& at) noexcept {
    if (at.client == nullptr) {
        return;
    }
    ++looked_at_;
    const auto found = keys_.find(at.key);
    auto& in = found->second;
    (at.previous == nullptr ? in.first : at.previous->next) = at.next;
    (at.next == nullptr ? in.last : at.next->previous) = at.previous;
    if (in.first == nullptr) {
        keys_.erase(found);
        shrink();
    } else if (at.previous == nullptr) {
        // The table continues with the key of the registration that is now the first. This needs
        // no memory: the table had as many keys before.
        auto node = keys_.extract(found);
        node.key() = node.mapped().first->key;
        keys_.insert(std::move(node));
    }
    at = registration();
}

// Takes a key out of the table; returns the first registration with it, or null.
registration* key_watch::take_list(std::string_view key) noexcept {
    const auto found = keys_.find(key);
    if (found == keys_.end()) {
        return nullptr;
    }
    auto* const first = found->second.first;
    keys_.erase(found);
    shrink();
    return first;
}

// An empty table takes no memory.
void key_watch::shrink() noexcept {
    if (keys_.empty()) {
        keys_ = decltype(keys_)(0, keys_.hash_function(), keys_.key_eq(), keys_.get_allocator());
    }
}

}  // namespace butterdb
