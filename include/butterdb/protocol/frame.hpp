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
/// they arrived. Source: docs/protocol.md, "Requests".
///
///     switch (frames.next(input, arguments).what) ...; drop `size` bytes of the input; again
///
/// Of a request that is not whole it remembers how far it is known, so that no byte is looked at
/// more often than three times however it arrives. Nothing is reserved from a declared length.
class frame_reader {
public:
    /// `lim` outlives the reader.
    explicit frame_reader(const limits& lim) noexcept : limits_(&lim) {}

    /// Whether the narrow limits of strangers hold, from the next request on. What is over them
    /// in RESP ends the connection; a line is refused.
    void set_strict(bool strict) noexcept { strict_ = strict; }

    /// The first frame of `input`, which begins where the last frame ended. Allocates only in
    /// `arguments`, or to give a reason.
    frame next(std::span<char> input, argument_list& arguments);

    /// An array that is whole, of few arguments and lengths without surprises, as most are.
    struct whole_array {
        std::size_t size;       ///< as a frame's
        std::size_t arguments;  ///< how many
    };
    /// The most that such a one has.
    static constexpr std::size_t whole_arguments_max = 16;

    /// Finds such arrays at the front of `input`, as many as there are in a row and `found` has
    /// room for, and all their arguments one behind the other. Changes nothing: whoever executes
    /// one says `took_whole` and drops its bytes. 0: it is for `next` to say what is there.
    std::size_t look_ahead(
        std::string_view input, std::span<whole_array> found, argument_list& arguments) const;
    void took_whole() noexcept { needed_ = 0; }

    /// Why the last frame was refused, malformed or broken, for the client.
    const std::string& reason() const noexcept { return reason_; }

    /// True while a request that is too large is being taken off the input, unread.
    bool is_skipping() const noexcept { return skipping_; }

    /// Bytes of input that the request at its front is known to need; 0: not known.
    std::size_t due() const noexcept { return needed_; }
    /// Of those, how many its present argument needs.
    std::size_t due_for_argument() const noexcept {
        return needed_ > checked_ ? needed_ - checked_ : 0;
    }

    /// True when `next` can say more than "incomplete" of input whose bytes from `searched` on are
    /// new. What `async_read_until` asks before it reads on; O(new bytes).
    bool is_ready(std::string_view input, std::size_t searched) const noexcept;

private:
    frame next_line(std::span<char> input, argument_list& arguments);
    frame read_line(std::span<char> line, std::size_t size, argument_list& arguments);
    // What a whole array may have; the limits may change between two looks.
    struct whole_bounds {
        std::uint64_t arguments;
        std::uint64_t argument_bytes;
        std::uint64_t request_bytes;
    };
    static std::size_t take_whole(
        std::string_view input, const whole_bounds& bounds, argument_list& arguments);
    frame next_array(std::string_view input, argument_list& arguments);
    frame begin_array(std::string_view input);
    frame next_bulk(std::string_view input, std::string_view& argument);
    frame skip(std::string_view input);
    frame refuse_stranger(std::string_view input, const char* what);
    static void collect(std::string_view input, argument_list& arguments);
    frame begin_skipping(std::uint64_t bytes, std::uint64_t end);
    frame fail(frame::kind what, std::size_t size, std::string reason);

    const limits* limits_;
    bool strict_ = false;
    std::string reason_;

    // Of an array that is not whole yet.
    std::size_t checked_ = 0;    // bytes of it whose form is known
    std::size_t needed_ = 0;     // bytes of input before more can be known
    std::size_t left_ = 0;       // arguments behind them
    bool skipping_ = false;      // it is too large
    std::uint64_t to_skip_ = 0;  // bytes of its present argument
};

}  // namespace butterdb
