#pragma once

#include <butterdb/base/flat_buffer.hpp>

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace butterdb::bench {

/// What is asked of the server. The defaults are the seed's: 50 % PUT, 40 % GET, 10 % DEL, keys of
/// 8 and values of 16 random lower-case letters.
struct workload {
    unsigned put_percent = 50;
    unsigned get_percent = 40;
    unsigned del_percent = 10;
    std::uint64_t keys = 0;  ///< different keys; 0: as many as the letters give
    std::size_t key_bytes = 8;
    std::size_t value_bytes = 16;
    std::uint64_t seed = 1;
};

/// Different keys that `key_bytes` letters give, at most 26^13.
std::uint64_t keys_possible(std::size_t key_bytes) noexcept;

enum class operation : std::uint8_t { put, get, del };

/// What a reply turned out to be.
enum class outcome : std::uint8_t { right, hit, miss, wrong };

/// One client's stream of requests, the same for the same seed, and the judge of their replies.
///
/// Every value proves where it belongs: its first half is random, its second half follows from the
/// key and the first. So a GET is checked without knowing who wrote the value last.
class request_stream {
public:
    request_stream(const workload& work, std::uint64_t client_number);

    /// Appends the next request line to `out`.
    operation append_next(flat_buffer& out);

    /// Judges the reply (its LF included) to the oldest request that has none yet.
    outcome judge(std::string_view reply);

private:
    void key_of(std::uint64_t number, std::string& key) const;
    void seal(std::string_view key, std::string& value) const;

    struct asked {
        operation what;
        std::uint64_t key_number;
    };

    workload work_;
    std::uint64_t keys_;
    std::mt19937_64 random_;
    std::vector<asked> awaited_;  // oldest first, from next_ on
    std::size_t next_ = 0;
    std::string key_;
    std::string value_;
    std::string expected_;
};

}  // namespace butterdb::bench
