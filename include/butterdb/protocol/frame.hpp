#pragma once

#include <butterdb/base/limits.hpp>
#include <butterdb/protocol/quoting.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace butterdb {

/// What stands at the front of a connection's input.
struct frame {
    enum class kind {
        incomplete,  ///< no whole request yet; `size` is 0
        empty,       ///< an empty line or array: nothing to do, no reply
        line,        ///< a request, in the text framing
        array,       ///< a request, in the RESP framing
        skipped,     ///< a part of a request that will be refused: nothing to do yet
        refused,     ///< the end of a request that is too large; the next one can be read
        malformed,   ///< a line that cannot be read; the next one can
        broken,      ///< not to be read on from here: one error reply, then close
        foreign,     ///< another protocol: close without a reply
    };

    kind what;
    std::size_t size;  ///< bytes of input it takes, its end included
};

/// Finds requests at the front of a connection's input, line or RESP, decided by the first byte of
/// each, and splits them into arguments: views into the input, whose bytes are overwritten where a
/// quoted argument of a line is decoded. What it answers depends on the bytes alone, never on how
/// they arrived. Source: docs/protocol.md, "Framing".
///
///     switch (frames.next(input, arguments).what) ...; drop `size` bytes of the input; again
///
/// Of a request that is not whole it remembers how far it is known, so that no byte is looked at
/// more often than three times however it arrives. Nothing is reserved from a declared length.
class frame_reader {
public:
    /// `lim` outlives the reader.
    explicit frame_reader(const limits& lim) noexcept : limits_(&lim) {}

    /// The first frame of `input`, which begins where the last frame ended. Allocates only in
    /// `arguments`, or to give a reason.
    frame next(std::span<char> input, argument_list& arguments);

    /// Why the last frame was refused, malformed or broken, for the client.
    const std::string& reason() const noexcept { return reason_; }

    /// True when `next` can say more than "incomplete" of input whose bytes from `searched` on are
    /// new. What `async_read_until` asks before it reads on; O(new bytes).
    bool is_ready(std::string_view input, std::size_t searched) const noexcept;

private:
    frame next_line(std::span<char> input, argument_list& arguments);
    frame read_line(std::span<char> line, std::size_t size, argument_list& arguments);
    frame next_array(std::string_view input, argument_list& arguments);
    frame begin_array(std::string_view input);
    frame next_bulk(std::string_view input, std::string_view& argument);
    frame skip(std::string_view input);
    static void collect(std::string_view input, argument_list& arguments);
    frame begin_skipping(std::uint64_t bytes, std::uint64_t end);
    frame fail(frame::kind what, std::size_t size, std::string reason);

    const limits* limits_;
    std::string reason_;

    // Of an array that is not whole yet.
    std::size_t checked_ = 0;    // bytes of it whose form is known
    std::size_t needed_ = 0;     // bytes of input before more can be known
    std::size_t left_ = 0;       // arguments behind them
    bool skipping_ = false;      // it is too large
    std::uint64_t to_skip_ = 0;  // bytes of its present argument
};

}  // namespace butterdb
