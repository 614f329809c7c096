#include "connection.hpp"

namespace butterdb::bench {

task<asio::error_code> connection::connect(server_access& to) {
    auto ec = co_await client_stream::connect(to);
    if (!ec && !to.where().password.empty()) {
        ec = co_await say_password(to.where().password);
    }
    co_return ec;
}

task<asio::error_code> connection::say_password(const std::string& password) {
    const std::string_view words[] = {"AUTH", password};
    append_command(spoken_, words, requests());
    expect_reply();
    auto ec = co_await send();
    std::optional<reply> got;
    while (!ec && !got) {
        ec = co_await receive();
        got = first_reply();
    }
    if (got) {
        if (got->what == reply::kind::failure) {
            ec = asio::error::access_denied;
        }
        drop(*got);
    }
    rest();
    co_return ec;
}

}  // namespace butterdb::bench
