#pragma once

#include <butterdb/base/flat_buffer.hpp>
#include <butterdb/base/limits.hpp>
#include <butterdb/protocol/reply_reader.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string_view>

namespace butterdb::bench {

/// What a server is spoken to in.
enum class dialect : std::uint8_t {
    text,      ///< ButterDB's lines
    resp,      ///< RESP2, of Redis and its kin
    memcache,  ///< memcached's text protocol
};

/// A reply, as far as a load tool cares.
struct reply {
    enum class kind : std::uint8_t {
        done,     ///< a status, or a count
        value,    ///< of a key
        missing,  ///< the key is not there
        failure,  ///< the server refused
    };
    kind what;
    std::string_view text;  ///< the value, or the failure's line
    std::size_t bytes;      ///< of the reply, its end included
};

/// A reply has more bytes than the load allows: the server may never end it.
class reply_too_long : public std::runtime_error {
public:
    explicit reply_too_long(std::size_t bytes_max);
};

/// Bytes that one reply may have, unless a load expects more: the longest value that a butterdb
/// stores by default, and room for what is around it.
inline constexpr std::size_t reply_bytes_max_default = 65 * MiB;

/// Bytes of a line of RESP or memcache, where only values are long.
inline constexpr std::size_t reply_line_bytes_max = 64 * KiB;

/// Splits what a server sends into replies, without reading any element of an array twice.
class reply_splitter {
public:
    explicit reply_splitter(
        dialect spoken, std::size_t reply_bytes_max = reply_bytes_max_default) noexcept
        : spoken_(spoken), reply_bytes_max_(reply_bytes_max) {}

    /// Returns the first reply of `input`, once it is complete: the caller drops its bytes. `input`
    /// begins where the last reply ended, and still has what it had at the last call. Throws
    /// reply_error, and reply_too_long.
    std::optional<reply> first(std::string_view input);

private:
    std::optional<reply> first_text(std::string_view input);
    std::optional<reply> first_resp(std::string_view input);

    dialect spoken_;
    std::size_t reply_bytes_max_;
    reply_reader lines_;              // of the text dialect
    std::size_t whole_bytes_ = 0;     // of the elements of RESP that are complete
    std::uint64_t elements_due_ = 1;  // of RESP that are not
};

/// Appends a command: its words in the text dialect or RESP.
void append_command(dialect spoken, std::span<const std::string_view> words, flat_buffer& out);

/// Appends what stores, fetches or deletes a key.
void append_put(dialect spoken, std::string_view key, std::string_view value, flat_buffer& out);
void append_get(dialect spoken, std::string_view key, flat_buffer& out);
void append_delete(dialect spoken, std::string_view key, flat_buffer& out);

}  // namespace butterdb::bench
