#pragma once

#include <butterdb/base/flat_buffer.hpp>
#include <butterdb/base/limits.hpp>
#include <butterdb/base/time.hpp>
#include <butterdb/engine/engine.hpp>
#include <butterdb/protocol/frame.hpp>

#include <cstddef>
#include <memory_resource>
#include <string_view>

namespace butterdb {

/// One client's side of the server, without I/O: bytes in, bytes out. The session moves the bytes.
///
///     append to input() -> receive(now) -> write output(), tell sent(n) -> again while open()
///
/// What comes out depends only on the bytes that went in, never on how they were cut; but for a
/// client that waits for others (WAITKEY).
class conversation {
public:
    enum class ending {
        none,     ///< still open
        left,     ///< the client said EXIT or QUIT, or broke the framing and was told
        foreign,  ///< the input is another protocol's: closed without a word
    };

    /// `db`, `lim` and `memory` outlive the conversation, which stays where it is: the engine knows
    /// its client.
    conversation(
        engine& db,
        const limits& lim,
        std::pmr::memory_resource& memory = *std::pmr::get_default_resource());
    conversation(const conversation&) = delete;
    conversation& operator=(const conversation&) = delete;
    ~conversation();

    /// The client as others see it.
    peer& who() noexcept { return peer_; }

    /// Where received bytes are appended.
    flat_buffer& input() noexcept { return input_; }

    /// True when `receive` is worth calling: the input, of which the bytes from `searched` on are
    /// new, may hold a request.
    bool is_ready(std::size_t searched) const noexcept {
        if (parked()) {
            return woken() || input_.size() > limits_.line_bytes_max;
        }
        return frames_.is_ready(input_.view(), searched);
    }

    /// True while the client waits for something that others do: `receive` tries again, and does
    /// nothing else until then.
    bool parked() const noexcept { return peer_.waits_for.has_value(); }
    /// True when trying again is worth it.
    bool woken() const noexcept { return peer_.woken; }
    /// What the client waits for counts as late from now on.
    void give_up_waiting() noexcept { peer_.waits_until = time_point::min(); }

    /// One turn: executes the requests that are complete in the input, up to the bounds of a turn.
    void receive(time_point now);

    /// True when the last turn met its bounds: call `receive` again before reading on.
    bool backlog() const noexcept { return backlog_; }

    /// Reply bytes not sent yet; valid until the next call that is not const.
    std::string_view output() const noexcept { return output_.view(); }

    /// Takes the first `count` bytes off the output.
    void sent(std::size_t count) noexcept;

    /// False once nothing more will be read: send the output, then close.
    bool open() const noexcept { return ending_ == ending::none; }
    ending how_it_ended() const noexcept { return ending_; }

private:
    bool take_request(time_point now);
    void speak_resp() noexcept;
    void refuse(error::kind what);
    void fit_input();

    engine& engine_;
    const limits& limits_;
    flat_buffer input_;
    flat_buffer output_;
    frame_reader frames_;
    argument_list arguments_;
    peer peer_;
    ending ending_ = ending::none;
    bool backlog_ = false;
    std::size_t arrived_ = 0;      // bytes of input when the last reading ended
    unsigned small_receives_ = 0;  // in a row, see fit_input
};

}  // namespace butterdb
