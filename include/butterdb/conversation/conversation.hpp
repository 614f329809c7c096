#pragma once

#include <butterdb/base/flat_buffer.hpp>
#include <butterdb/base/limits.hpp>
#include <butterdb/base/time.hpp>
#include <butterdb/engine/engine.hpp>
#include <butterdb/protocol/frame.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace butterdb {

/// One client's side of the server, without I/O: bytes in, bytes out. The session moves the bytes.
///
///     append to input() -> receive(now, n) -> write output(), tell sent(n) -> again while open()
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

    /// Both outlive the conversation, which stays where it is: the engine knows its client.
    conversation(engine& db, const limits& lim);
    conversation(const conversation&) = delete;
    conversation& operator=(const conversation&) = delete;
    ~conversation();

    /// The client as others see it.
    peer& who() noexcept { return peer_; }

    /// Where received bytes are appended.
    flat_buffer& input() noexcept { return input_; }

    /// Makes room for the next read of at most `read_bytes_max` bytes. The buffer doubles while it
    /// is full, but not beyond what is known of the request. False, and nothing has changed, when
    /// there is no memory for it.
    bool make_input_room(std::size_t read_bytes_max) noexcept {
        return (input_.empty() && input_.capacity() >= read_bytes_min) ||
               grow_input(read_bytes_max);
    }

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
    bool parked() const noexcept { return peer_.parked(); }
    /// True when trying again is worth it.
    bool woken() const noexcept { return peer_.woken; }
    /// What the client waits for counts as late from now on. One that waits for the answer to a
    /// password is closed without it.
    void give_up_waiting() noexcept {
        peer_.late = true;
        peer_.leaving = peer_.leaving || peer_.login;
    }

    /// True when there is no other client.
    bool is_alone() const noexcept { return engine_.count.connected_clients == 1; }

    /// True until the client has said the password, where one is asked for.
    bool is_stranger() const noexcept { return peer_.stranger; }

    /// Output after which a turn ends.
    std::uint64_t output_bytes_max() const noexcept {
        return is_stranger() ? limits_.stranger_output_bytes_max : limits_.output_bytes_max;
    }

    /// Begins a turn, whose output counts from here on.
    void begin_turn() noexcept { output_before_turn_ = output_.size(); }
    /// Returns whether this turn has written or copied so much that it is over.
    bool has_done_enough() const noexcept {
        return output_.size() - output_before_turn_ + engine_.bytes_moved() +
                   engine_.steps_taken() >=
               output_bytes_max();
    }

    /// Returns whether input may be read, and requests executed, while replies wait to be sent: as
    /// long as the unsent replies, what clients hold because of that, and the memory of all clients
    /// are below their limits. Counts what this client holds.
    bool may_read_ahead() noexcept;
    /// Returns whether the input holds a request, and as many bytes as are read ahead of the
    /// replies without being executed. If the socket has more, the client is taken to be blocked in
    /// sending: only executing requests helps.
    bool has_read_ahead() const noexcept {
        return input_.size() >= limits_.read_ahead_bytes && is_ready(0);
    }
    /// The replies have been sent. The input may hold requests that have been read ahead: the next
    /// turn is due before the next read.
    void end_read_ahead() noexcept;

    /// Looks ahead at what the next `receive` will execute, so that the store has it fetched
    /// meanwhile. Changes nothing that is seen.
    void foresee();

    /// Executes the requests that are complete in the input: at most `requests_max` of them, and
    /// none after `output_bytes_max` bytes of output, others moved, and steps of walking and
    /// matching. Returns how many it has taken off the input.
    std::size_t receive(time_point now, std::size_t requests_max);

    /// True when the last `receive` met its bounds: call it again before reading on.
    bool backlog() const noexcept { return backlog_; }

    /// True when a request has begun to arrive, and is not whole.
    bool in_request() const noexcept {
        return !parked() && (!input_.empty() || frames_.is_skipping());
    }

    /// True when `tidy` would free memory.
    bool roomy() const noexcept { return input_.capacity() > idle_capacity(); }
    /// Keeps no more memory than an idle client needs.
    void tidy();

    /// Reply bytes not sent yet; valid until the next call that is not const.
    std::string_view output() const noexcept { return output_.view(); }

    /// Takes the first `count` bytes off the output.
    void sent(std::size_t count) noexcept;

    /// False once nothing more will be read: send the output, then close.
    bool open() const noexcept { return how_it_ended() == ending::none; }
    ending how_it_ended() const noexcept {
        return foreign_ ? ending::foreign : peer_.leaving ? ending::left : ending::none;
    }

private:
    static constexpr std::size_t read_bytes_min = 512;  // for which every read has room
    static constexpr std::size_t ahead_max = 16;        // requests whose keys are fetched together

    bool has_foreseen() const noexcept;
    void look_ahead(std::size_t requests_max);
    void expect_keys();
    std::size_t take_whole_requests(time_point now, std::size_t requests_max);
    bool take_request(time_point now);
    void speak_resp() noexcept;
    void refuse(error::kind what);
    std::size_t next_capacity() const noexcept;
    bool grow_input(std::size_t read_bytes_max) noexcept;
    void fit_input();
    void fit_input_to(std::size_t capacity);
    std::size_t idle_capacity() const noexcept;

    engine& engine_;
    const limits& limits_;
    peer peer_;
    flat_buffer input_;
    flat_buffer output_;
    frame_reader frames_;
    argument_list arguments_;

    // What has been looked ahead at: whole arrays, whose arguments are in `arguments_`.
    std::array<frame_reader::whole_array, ahead_max> ahead_{};
    std::size_t ahead_count_ = 0;
    std::string_view ahead_of_;         // the input then
    std::uint64_t ahead_settings_ = 0;  // how often they had changed then

    std::size_t output_before_turn_ = 0;  // unsent bytes when the turn began
    bool foreign_ = false;
    bool backlog_ = false;
    std::size_t arrived_ = 0;      // bytes of input when the last reading ended
    unsigned small_receives_ = 0;  // in a row, see fit_input
};

}  // namespace butterdb
