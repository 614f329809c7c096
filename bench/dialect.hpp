#pragma once

#include <butterdb/base/flat_buffer.hpp>
#include <butterdb/protocol/reply_reader.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
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

/// Splits what a server sends into replies.
class reply_splitter {
public:
    explicit reply_splitter(dialect spoken) noexcept : spoken_(spoken) {}

    /// The first reply of `input`, once it is complete: the caller drops its bytes. `input` begins
    /// where the last one ended, and what was there at the last call still is. Throws reply_error.
    std::optional<reply> first(std::string_view input);

private:
    std::optional<reply> first_text(std::string_view input);

    dialect spoken_;
    reply_reader lines_;  // of the text dialect
};

/// Appends a command: its words in the text dialect or RESP.
void append_command(dialect spoken, std::span<const std::string_view> words, flat_buffer& out);

/// Appends what stores, fetches or deletes a key.
void append_put(dialect spoken, std::string_view key, std::string_view value, flat_buffer& out);
void append_get(dialect spoken, std::string_view key, flat_buffer& out);
void append_delete(dialect spoken, std::string_view key, flat_buffer& out);

}  // namespace butterdb::bench
