#pragma once

#include <butterdb/base/flat_buffer.hpp>
#include <butterdb/base/result.hpp>
#include <butterdb/base/step_budget.hpp>
#include <butterdb/protocol/error_counts.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <string_view>

namespace butterdb {

/// What a connection's replies look like.
enum class dialect {
    text,   ///< lines for people, each ended by LF alone
    resp2,  ///< what Redis clients read
    resp3,  ///< the same with maps and one null, after HELLO 3
};

/// A reply would be longer than it may be.
class reply_too_long : public std::exception {
public:
    const char* what() const noexcept override { return "reply over the limit"; }
};

/// Appends replies to a connection's output. One call is one reply, or one element of the array or
/// map opened before it. Each may throw std::bad_alloc, and reply_too_long when the
/// output would get over its limit; what is then in the output is not a whole reply. Source:
/// docs/protocol.md, "Replies".
class reply_writer {
public:
    /// Appends to `out`, which may come to `bytes_max` bytes. Counts errors in `errors`, and takes
    /// a step of `steps` for each two bytes that are read to find out what quotes add, unless these
    /// are null. All outlive the writer.
    reply_writer(
        flat_buffer& out,
        dialect speaks,
        std::uint64_t bytes_max = flat_buffer::size_most,
        error_counts* errors = nullptr,
        step_budget* steps = nullptr) noexcept
        : out_(&out), speaks_(speaks), bytes_max_(bytes_max), errors_(errors), steps_(steps) {}

    /// From now on in another dialect.
    void speak(dialect now) noexcept { speaks_ = now; }

    /// A bare word: `OK`.
    void status(std::string_view word) { line('+', word); }
    void integer(std::int64_t value);
    /// A value; in text quoted where it would be taken for something else.
    void bulk(std::string_view value);
    /// Throws reply_too_long unless the value may follow. A request that changes something before
    /// it replies asks first. O(value) in text, where quoting may add to it; O(1) if it is too long
    /// without quotes.
    void expect_room(std::string_view value) const;
    /// From now on, every value and every text is too long.
    void refuse_values() noexcept { bytes_max_ = 0; }
    /// The key is not there; in text `NOT_FOUND`.
    void null() { null("$-1\r\n"); }
    /// There is no array: an EXEC that did nothing.
    void null_array() { null("*-1\r\n"); }
    /// Opens an array: `count` replies follow.
    void array(std::size_t count) { open('*', count); }
    /// Opens a map: `count` pairs of replies follow. In RESP2 and text, an array of both.
    void map(std::size_t count);
    /// A text of several lines, each ended by LF or CR LF; in text `LIST n` and its lines.
    void text(std::string_view lines);
    /// In text `INVALID <reason>` for a request that cannot be read, else `ERROR <code> <reason>`.
    void failure(const error& why);

    // Replies whose text differs from their RESP form, for people to read.

    /// Of a DEL: in text `DELETED` or `NOT_FOUND` when one key was asked for, else the number.
    void deleted(std::size_t count, std::size_t asked);
    /// Of a SET whose condition is not met: null, in text `NOT_STORED`.
    void not_stored();
    /// Appends `+word` CR LF in every dialect, for PING, AUTH and QUIT: health checks written for
    /// Redis send them as lines.
    void resp_status(std::string_view word);
    /// Of EXIT: nothing in text.
    void farewell();

private:
    char* room(std::size_t count);
    void put(std::string_view bytes);
    void put(char byte) { put({&byte, 1}); }
    void check_room(std::size_t bytes) const;
    std::size_t shown_size_within_room(std::string_view value) const;
    void line(char kind, std::string_view bytes);
    template <typename Integer>
    void number_line(char kind, Integer value);
    template <typename Integer>
    void number(char kind, Integer value);
    void open(char kind, std::size_t count);
    void null(std::string_view resp2);

    flat_buffer* out_;
    dialect speaks_;
    std::uint64_t bytes_max_;  // of the whole output
    error_counts* errors_;
    step_budget* steps_;
};

}  // namespace butterdb
