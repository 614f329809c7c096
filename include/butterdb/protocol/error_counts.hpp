#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace butterdb {

/// Counts error replies by their code (`ERR`, `OOM`, ...). The codes are the server's own, so there
/// are few; no client makes one up.
class error_counts {
public:
    /// Throws std::bad_alloc; then nothing has been counted.
    void add(std::string_view code) {
        const auto found = by_code_.find(code);
        ++(found == by_code_.end() ? by_code_[std::string(code)] : found->second);
        ++total_;
    }

    std::uint64_t total() const noexcept { return total_; }
    std::uint64_t of(std::string_view code) const noexcept {
        const auto found = by_code_.find(code);
        return found == by_code_.end() ? 0 : found->second;
    }

    /// In the order of the codes.
    const std::map<std::string, std::uint64_t, std::less<>>& by_code() const noexcept {
        return by_code_;
    }

private:
    std::map<std::string, std::uint64_t, std::less<>> by_code_;
    std::uint64_t total_ = 0;
};

}  // namespace butterdb
