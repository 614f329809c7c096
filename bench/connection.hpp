#pragma once

#include "dialect.hpp"
#include <butterdb/net/client.hpp>

#include <optional>

namespace butterdb::bench {

/// A connection to a server in one of the dialects.
class connection : public client_stream {
public:
    /// As client_stream's. A reply of more than `reply_bytes_max` bytes is a reply_too_long.
    connection(
        asio::io_context& io,
        sweeper& timeouts,
        steady::duration timeout,
        dialect spoken,
        std::size_t reply_bytes_max = reply_bytes_max_default)
        : client_stream(io, timeouts, timeout),
          spoken_(spoken),
          replies_(spoken, reply_bytes_max) {}

    /// Connects, and says the password; access_denied for a wrong one.
    task<asio::error_code> connect(server_access& to);

    /// Returns the first reply that has come and was not dropped, once it is complete. Throws as
    /// reply_splitter::first does.
    std::optional<reply> first_reply() { return replies_.first(input().view()); }
    void drop(const reply& done) { input().consume(done.bytes); }

private:
    task<asio::error_code> say_password(const std::string& password);

    dialect spoken_;
    reply_splitter replies_;
};

}  // namespace butterdb::bench
