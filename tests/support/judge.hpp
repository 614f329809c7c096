#pragma once

#include "support/reference.hpp"
#include "support/request_maker.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace butterdb::test {

/// Judges one connection: what was sent over it and has arrived, against what is replied, in order.
/// Several judges share a reference; the turns of their connections are told in the order in which
/// the server takes them.
class judge {
public:
    /// `number` names the connection in a trace.
    judge(reference& model, std::uint64_t number) : model_(model), number_(number) {
        who_.stranger = !model.password.empty();
    }

    /// The client sends this behind all before it.
    void sent(sent_request request);

    /// So many more bytes have reached the server.
    /// `uptime`: by a clock that nobody sets.
    void arrived(std::size_t bytes, time_point uptime);

    /// A turn's replies: those of the oldest requests that have none. Throws wrong_reply, also for
    /// a reply to what has not arrived.
    void replied(std::string_view bytes, time_point now);

    /// Throws wrong_reply unless all that has arrived is answered. `waits`: the client is parked,
    /// so that its oldest request may be open, with those behind it.
    void expect_answered(bool waits);

    /// True when the server has to end the connection, once all is answered.
    bool must_close();
    /// True when it may end the connection now.
    bool may_close();

    /// Keys of requests that have arrived and are not answered: what has become of them is unknown
    /// if the connection ends now.
    std::vector<std::string> keys_at_stake() const;

    /// Bytes that have arrived behind the last answered request.
    std::uint64_t bytes_open() const {
        return open_.empty() ? 0 : arrived_ - std::min(arrived_, open_.front().begin);
    }

    reference::client& who() { return who_; }
    const reference::client& who() const { return who_; }
    const sent_request* oldest() const { return open_.empty() ? nullptr : &open_.front().sent; }

private:
    struct open_request {
        sent_request sent;
        std::uint64_t begin;  // of its bytes in the stream
        std::uint64_t end;
        time_point arrived = time_point::max();  // all of it
    };

    void answer_oldest(reply_cursor& said, time_point now);
    void skip_silent();
    void speaks_resp();
    bool has_arrived(const open_request& each) const;
    bool may_be_judged(const open_request& each) const;

    reference& model_;
    std::uint64_t number_;
    reference::client who_;
    std::deque<open_request> open_;
    std::uint64_t sent_ = 0;
    std::uint64_t arrived_ = 0;
    bool over_ = false;
};

}  // namespace butterdb::test
