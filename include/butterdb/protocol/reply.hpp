#pragma once

#include <butterdb/base/flat_buffer.hpp>
#include <butterdb/base/result.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace butterdb {

/// Appends replies to a connection's output, in the text dialect: every line ends in LF alone.
/// One call is one reply, or one element of the array opened before it. Each may throw
/// std::bad_alloc; what is then in the output is not a whole reply.
/// Source: docs/protocol.md, "Replies".
class reply_writer {
public:
    explicit reply_writer(flat_buffer& out) noexcept : out_(&out) {}

    /// A bare word: `OK`.
    void status(std::string_view word) { line(word); }
    void integer(std::int64_t number);
    /// A value, quoted where it would be taken for something else.
    void bulk(std::string_view value);
    /// `NOT_FOUND`: the key is not there.
    void null() { line("NOT_FOUND"); }
    /// Opens a list: `count` replies follow.
    void array(std::size_t count);
    /// A text of several lines, each ended by LF, as `LIST n` and its lines as they are.
    void text(std::string_view lines);
    /// `INVALID <reason>` for a request that cannot be read, else `ERROR <code> <reason>`.
    void failure(const error& why);

    // Replies whose text differs from their RESP form, for people to read.

    /// Of a DEL: `DELETED` or `NOT_FOUND` when one key was asked for, else the number.
    void deleted(std::size_t count, std::size_t asked);
    /// `+PONG` CRLF in every dialect: health checks written for Redis send PING as a line.
    void pong();
    /// Of EXIT: nothing.
    void farewell() {}

private:
    void line(std::string_view bytes);

    flat_buffer* out_;
};

}  // namespace butterdb
