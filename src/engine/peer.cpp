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
    auto found = watchers_.find(key);
    if (found == watchers_.end()) {
        found = watchers_.emplace(std::string(key), std::vector<peer*>()).first;
    }
    try {
        found->second.push_back(&who);
    } catch (...) {
        if (found->second.empty()) {
            watchers_.erase(found);
        }
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
    if (found == watchers_.end()) {
        return;
    }
    std::erase(found->second, &who);
    if (found->second.empty()) {
        watchers_.erase(found);
    }
}

}  // namespace butterdb
