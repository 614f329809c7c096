#include "trial.hpp"

#include <algorithm>
#include <cstddef>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

namespace butterdb::bench {

namespace {

constexpr std::size_t refusal_bytes_max = 512;  // that are shown

// Appends one request of `kind`, about any of the keys.
void append_one(const request_kind& kind, workload work, flat_buffer& out) {
    work.kinds = {kind};
    work.choice = {};
    work.verify = false;
    const request_plan plan(work, 1);
    request_stream(plan, 0).append_next(out);
}

task<> try_one(connection& server, const request_kind& kind, const workload& work) {
    append_one(kind, work, server.requests());
    server.expect_reply();
    auto ec = co_await server.send();
    auto got = server.first_reply();
    while (!ec && !got) {
        ec = co_await server.receive();
        got = server.first_reply();
    }
    server.rest();
    if (!got) {
        throw std::runtime_error("no reply to '" + kind.text() + "': " + server.describe(ec));
    }
    if (got->what == reply::kind::failure) {
        throw std::runtime_error(
            "the server refuses '" + kind.text() +
            "': " + std::string(got->text.substr(0, refusal_bytes_max)));
    }
    server.drop(*got);
}

task<> try_each(connection& server, server_access& access, const workload& work) {
    const auto ec = co_await server.connect(access);
    if (ec) {
        throw std::runtime_error(
            "cannot connect to " + name_of(access.where()) + ": " + server.describe(ec));
    }
    for (const auto& kind : work.kinds) {
        if (!kind.words.empty()) {
            co_await try_one(server, kind, work);
        }
    }
}

}  // namespace

void try_commands(const target& server, const load& test) {
    const auto& work = test.work;
    if (std::ranges::all_of(work.kinds, [](const auto& kind) { return kind.words.empty(); })) {
        return;
    }
    server_access access(server.where);
    asio::io_context io(1);
    system_time time(io);
    sweeper timeouts(time);
    connection trial(io, timeouts, server.timeout, work.spoken, reply_bytes_max(work));
    std::exception_ptr failure;
    spawn(try_each(trial, access, work), [&](const std::exception_ptr& why) {
        failure = why;
        timeouts.stop();
    });
    io.run();
    if (failure) {
        std::rethrow_exception(failure);
    }
}

}  // namespace butterdb::bench
