#pragma once

#include "dialect.hpp"
#include <butterdb/net/client.hpp>

#include <optional>

namespace butterdb::bench {

/// A connection to a server in one of the dialects.
class connection : public client_stream {
public:
    connection(asio::io_context& io, sweeper& timeouts, steady::duration timeout, dialect spoken)
        : client_stream(io, timeouts, timeout), spoken_(spoken), replies_(spoken) {}

    /// Connects, and says the password; access_denied for a wrong one.
    task<asio::error_code> connect(server_access& to);

    /// The first reply that has come and was not dropped, once it is complete. Throws reply_error.
    std::optional<reply> first_reply() { return replies_.first(input().view()); }
    void drop(const reply& done) { input().consume(done.bytes); }

private:
    task<asio::error_code> say_password(const std::string& password);

    dialect spoken_;
    reply_splitter replies_;
};

}  // namespace butterdb::bench
