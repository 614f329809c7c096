#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace butterdb {

/// The server sent something that is no reply.
class reply_error : public std::runtime_error {
public:
    reply_error() : std::runtime_error("the server's reply cannot be read") {}
    explicit reply_error(const std::string& reason)
        : std::runtime_error("the server's reply cannot be read: " + reason) {}
};

/// Finds where replies of the text dialect end, without reading any byte twice.
///
///     switch (reader.look(input)) {
///         case complete: use input.substr(0, reader.size()); drop it; reader.reset(); break;
///         case incomplete: append to input; look again
///
/// A reply is a line, or `LIST n` and n replies. Source: docs/protocol.md, "Replies".
class reply_reader {
public:
    enum class status {
        incomplete,
        complete,
        broken,  ///< no server of ours wrote this: give up the connection
    };

    /// Lines that one reply may have.
    static constexpr std::uint64_t lines_max = std::uint64_t{1} << 32;

    /// `input` begins where the reply does; what was there at the last look still is.
    status look(std::string_view input);

    /// Bytes of the complete reply, its last LF included.
    std::size_t size() const noexcept { return looked_at_; }

    /// Returns true of the line that a connection gets instead of service: `-ERR ...` and CR LF,
    /// which no other reply has.
    static bool is_refusal(std::string_view reply) noexcept;

    /// Returns true when the server refused: INVALID, ERROR, or the connection as a whole. A list
    /// is no failure; a line of it may be.
    static bool is_failure(std::string_view line) noexcept;

    /// Returns true of the first line of a list: `LIST n`.
    static bool is_list_head(std::string_view line) noexcept;

    void reset() noexcept { *this = reply_reader(); }

private:
    std::size_t looked_at_ = 0;     // whole lines
    std::size_t no_end_until_ = 0;  // of the line behind them
    std::uint64_t lines_due_ = 1;
};

}  // namespace butterdb
