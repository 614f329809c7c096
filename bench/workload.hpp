#pragma once

#include "dialect.hpp"
#include "random.hpp"
#include <butterdb/base/flat_buffer.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace butterdb::bench {

/// One kind of request, and how often it is sent beside the others.
struct request_kind {
    enum class effect : std::uint8_t {
        put,     ///< stores a value under the key
        get,     ///< fetches the key's value
        del,     ///< deletes the key
        modify,  ///< fetches, then stores: two requests (YCSB F)
        other,   ///< any command; its reply counts as right unless it is a failure
    };
    effect what = effect::get;
    std::uint64_t weight = 1;
    bool new_key = false;  ///< of put: the next key behind all others (YCSB D's insert)
    /// The command's words, with `{key}` and `{value}` in them; empty: what the dialect has for it.
    std::vector<std::string> words;

    /// Returns the words, or a name of the effect.
    std::string text() const;
};

/// Which of the keys a request is about.
struct key_choice {
    enum class shape : std::uint8_t {
        uniform,
        zipf,        ///< the n-th most wanted key is wanted 1/n^skew as often as the first
        latest,      ///< as zipf, counted from the newest key
        sequential,  ///< one after the other, each client its share
        hot,         ///< `hot_weight` of the requests go to `hot_share` of the keys
    };
    shape what = shape::uniform;
    double skew = 0.99;
    double hot_share = 0.1;
    double hot_weight = 0.9;
};

/// Sizes of values in bytes: ranges with weights; within a range each size is as likely.
struct value_sizes {
    struct range {
        std::size_t least = 16;
        std::size_t most = 16;
        std::uint64_t weight = 1;
    };
    std::vector<range> ranges{range{}};

    std::size_t most() const noexcept;
};

/// What is asked of the server. The defaults are the seed's: 50 % PUT, 40 % GET, 10 % DEL, keys of
/// 8 and values of 16 random lower-case letters.
struct workload {
    dialect spoken = dialect::text;
    std::vector<request_kind> kinds{
        {request_kind::effect::put, 50, false, {}},
        {request_kind::effect::get, 40, false, {}},
        {request_kind::effect::del, 10, false, {}}};
    std::uint64_t keys = 0;  ///< different keys; 0: as many as the letters give
    std::size_t key_bytes = 8;
    key_choice choice;
    value_sizes sizes;
    std::uint64_t seed = 1;
    /// Each client keeps to keys of its own (number modulo clients), and knows what each holds: so
    /// that a lost write or an old value is seen. Else a value proves which key it belongs to.
    bool verify = false;
    std::uint64_t first_version = 0;  ///< of verify: another one in each run tells old values
    bool judge = true;  ///< else replies are only counted, for a server that answers a constant
};

/// Keys that one request may fetch: those of `{keys}`.
inline constexpr std::uint64_t keys_fetched_max = 100;

/// Different keys that `key_bytes` letters give, at most 26^13.
std::uint64_t keys_possible(std::size_t key_bytes) noexcept;

/// The workload of a name: `ycsb-a` to `ycsb-f` (Cooper et al., 2010) set the kinds and the choice
/// of keys. YCSB E's scan is an MGET of a key and up to 99 behind it, since a hash table has no
/// order. False when there is no such name.
bool set_named_mix(std::string_view name, workload& work);

/// Returns the bytes that one reply may have: those of as many of the load's values as one request
/// may fetch, and `reply_bytes_max_default` at least.
std::size_t reply_bytes_max(const workload& work) noexcept;

/// Why a load cannot be, as far as the dialect is concerned; empty: it can.
std::string objection(const workload& work);

/// What a reply turned out to be.
enum class outcome : std::uint8_t {
    right,
    hit,
    miss,
    failure,  ///< the server refused
    wrong,    ///< no value of this key, or no reply to this request
    lost,     ///< the key holds an older value than was confirmed, or none
};

/// Draws from 0 to `items` - 1 with Zipf's distribution, the rank being the number (Gray et al.,
/// "Quickly generating billion-record synthetic databases", 1994). O(items) once, O(1) a number.
class zipf {
public:
    /// Requires items > 0, 0 < skew < 1.
    zipf(std::uint64_t items, double skew);
    std::uint64_t draw(double share) const noexcept;

private:
    double items_;
    double skew_;
    double alpha_;
    double zeta_;
    double eta_;
};

/// What all clients' streams of one load have in common. Read-only, so threads share it.
class request_plan {
public:
    request_plan(const workload& work, std::uint64_t clients);

    const workload& work() const noexcept { return work_; }
    std::uint64_t keys() const noexcept { return keys_; }
    std::uint64_t clients() const noexcept { return clients_; }
    std::uint64_t weights() const noexcept { return weights_; }
    const std::optional<zipf>& skewed() const noexcept { return skewed_; }

private:
    workload work_;
    std::uint64_t clients_;
    std::uint64_t keys_;
    std::uint64_t weights_ = 0;
    std::optional<zipf> skewed_;
};

/// One client's stream of requests, the same for the same seed, and the judge of their replies.
///
/// Every value proves where it belongs: it begins with its version, and the rest follows from the
/// key and the version. So a GET is checked without knowing who wrote the value last.
class request_stream {
public:
    /// `plan` outlives the stream.
    request_stream(const request_plan& plan, std::uint64_t client_number);

    /// Appends the next request to `out`. Gives how many replies are due for it, 1 or 2.
    unsigned append_next(flat_buffer& out);

    /// Judges the reply to the oldest request that has none yet.
    outcome judge(const reply& got);

    /// Whether the last reply that was judged was to a request that fetches a value.
    bool judged_get() const noexcept { return judged_get_; }

private:
    using version = std::uint64_t;
    static constexpr version none = 0;
    static constexpr version unknown = ~version{0};

    struct asked {
        request_kind::effect what;
        std::uint64_t key_number;
        version expected;  // of verify
    };

    const request_kind& choose_kind();
    std::uint64_t choose_key();
    void append_put_of(std::uint64_t number, flat_buffer& out);
    void append_template(const request_kind& kind, std::uint64_t number, flat_buffer& out);
    std::string_view filled(std::string_view word, std::string& room) const;
    void write_key(std::uint64_t number);
    void write_value(std::uint64_t number, version which);
    bool is_value_of(std::uint64_t number, std::string_view value, version& which);
    void forget(std::uint64_t number);
    outcome judge_value(const asked& request, const reply& got);
    void expect(request_kind::effect what, std::uint64_t number);
    version& known(std::uint64_t number);

    const request_plan* plan_;
    std::uint64_t client_;
    std::uint64_t keys_;  // of this client
    std::uint64_t in_sequence_ = 0;
    version versions_;
    random_numbers random_;
    std::vector<asked> awaited_;  // oldest first, from next_ on
    std::size_t next_ = 0;
    std::vector<version> known_;  // of verify: what each of its keys holds once all is applied
    bool judged_get_ = false;
    std::string key_;
    std::string value_;
    std::vector<std::string> filled_;
    std::vector<std::string_view> words_;
};

}  // namespace butterdb::bench
