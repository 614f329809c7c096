#include <butterdb/engine/peer.hpp>

#include <algorithm>

namespace butterdb {

void request_queue::add(arguments request) {
    std::size_t bytes = bytes_.size();
    for (const auto each : request) {
        bytes += each.size();
    }
    const auto room = [](auto& all, std::size_t needed) {
        if (all.capacity() < needed) {
            all.reserve(std::max(needed, 2 * all.capacity()));
        }
    };
    room(bytes_, bytes);
    room(sizes_, sizes_.size() + request.size());
    room(counts_, counts_.size() + 1);
    for (const auto each : request) {
        bytes_.append(each);
        sizes_.push_back(each.size());
    }
    counts_.push_back(request.size());
}

void key_watch::add(std::string_view key, peer& who) {
    try {
        auto found = watchers_.find(key);
        if (found == watchers_.end()) {
            found = watchers_.try_emplace(std::pmr::string(key, watchers_.get_allocator())).first;
        }
        found->second.push_back(&who);
    } catch (...) {
        drop_unwatched(key);
        throw;
    }
}

bool key_watch::has(std::string_view key, const peer& who) const noexcept {
    const auto found = watchers_.find(key);
    return found != watchers_.end() &&
           std::ranges::find(found->second, &who) != found->second.end();
}

void key_watch::remove(std::string_view key, const peer& who) noexcept {
    const auto found = watchers_.find(key);
    if (found != watchers_.end()) {
        std::erase(found->second, &who);
        drop_unwatched(key);
    }
}

// Gives back what a key takes that nobody watches, and what the table takes when it is empty.
void key_watch::drop_unwatched(std::string_view key) noexcept {
    const auto found = watchers_.find(key);
    if (found != watchers_.end() && found->second.empty()) {
        watchers_.erase(found);
    }
    if (watchers_.empty()) {
        watchers_ = decltype(watchers_)(
            0, watchers_.hash_function(), watchers_.key_eq(), watchers_.get_allocator());
    }
}

}  // namespace butterdb
