#pragma once

#include <butterdb/base/limits.hpp>
#include <butterdb/protocol/quoting.hpp>

#include <cstddef>
#include <span>
#include <string_view>

namespace butterdb {

/// What stands at the front of a connection's input.
struct frame {
    enum class kind {
        incomplete,  ///< no whole request yet; `size` is 0
        empty,       ///< an empty line: nothing to do, no reply
        request,     ///< `arguments` holds it
        malformed,   ///< a line that cannot be read; the next one can
        broken,      ///< not to be read on from here: one error reply, then close
        foreign,     ///< another protocol: close without a reply
    };

    kind what;
    std::size_t size;         ///< bytes of input it takes, its end included
    std::string_view reason;  ///< of malformed and broken, for the client; static storage
};

/// Finds the first request in `input`, line or RESP, decided by its first byte, and splits it into
/// `arguments` (views into `input`, whose bytes are overwritten where a quoted argument is decoded;
/// so a frame is read once). The answer depends on the bytes alone, never on how they arrived.
/// Allocates only in `arguments`. O(size). Source: docs/protocol.md, "Framing".
frame next_frame(std::span<char> input, argument_list& arguments, const limits& lim);

/// True when `next_frame` can say more than "incomplete" of input whose bytes from `searched` on
/// are new. What `async_read_until` asks before it reads on; O(new bytes).
bool frame_is_ready(std::string_view input, std::size_t searched) noexcept;

}  // namespace butterdb
