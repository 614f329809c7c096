#include "support/judge.hpp"

#include "support/trace.hpp"

#include <algorithm>
#include <utility>

namespace butterdb::test {

namespace {

using fate = sent_request::fate;

}  // namespace

void judge::sent(sent_request request) {
    trace(number_, "says", request.bytes);
    const auto begin = sent_;
    sent_ += request.bytes.size();
    open_.push_back({std::move(request), begin, sent_});
}

void judge::arrived(std::size_t bytes, time_point uptime) {
    const auto before = arrived_;
    arrived_ += bytes;
    for (auto& each : open_) {
        if (each.end > before && each.end <= arrived_) {
            each.arrived = uptime;
        }
    }
}

bool judge::has_arrived(const open_request& each) const {
    return arrived_ >= each.end;
}

// What ends the connection may do so before all of it is there.
bool judge::may_be_judged(const open_request& each) const {
    const bool ends = each.sent.becomes == fate::broken || each.sent.becomes == fate::foreign;
    return has_arrived(each) || (ends && arrived_ > each.begin);
}

void judge::skip_silent() {
    while (!over_ && !open_.empty() && has_arrived(open_.front())) {
        const auto& oldest = open_.front().sent;
        const bool leaves = oldest.becomes == fate::foreign ||
                            (oldest.becomes == fate::answered && oldest.request[0] == "EXIT" &&
                             oldest.as_line && who_.speaks == dialect::text);
        if (leaves) {
            over_ = true;
        } else if (oldest.becomes != fate::empty) {
            return;
        } else if (oldest.bytes.starts_with('*')) {
            speaks_resp();
        }
        open_.pop_front();
    }
}

void judge::speaks_resp() {
    if (who_.speaks == dialect::text) {
        who_.speaks = dialect::resp2;
    }
}

void judge::replied(std::string_view bytes, time_point now) {
    if (!bytes.empty()) {
        trace(number_, "hears", bytes);
    }
    reply_cursor said(bytes);
    skip_silent();
    while (!said.empty()) {
        if (over_ || open_.empty() || !may_be_judged(open_.front())) {
            throw wrong_reply("a reply to nothing: '" + shown(said.rest()) + "'");
        }
        answer_oldest(said, now);
        skip_silent();
    }
}

void judge::answer_oldest(reply_cursor& said, time_point now) {
    const auto oldest = std::move(open_.front().sent);
    model_.waits_since = open_.front().arrived;
    open_.pop_front();
    if (!oldest.as_line) {
        speaks_resp();
    }
    if (oldest.becomes == fate::answered) {
        model_.answer(who_, oldest.request, said, now);
        over_ = who_.leaving;
    } else {
        model_.refuse(who_, oldest.reason, said);
        over_ = oldest.becomes == fate::broken;
    }
}

void judge::expect_answered(bool waits) {
    skip_silent();
    if (!over_ && !waits && !open_.empty() && has_arrived(open_.front())) {
        throw wrong_reply("no reply to '" + shown(open_.front().sent.bytes) + "'");
    }
}

bool judge::must_close() {
    skip_silent();
    return over_;
}

bool judge::may_close() {
    return must_close() || (!open_.empty() && open_.front().sent.becomes == fate::foreign &&
                            may_be_judged(open_.front()));
}

std::vector<std::string> judge::keys_at_stake() const {
    std::vector<std::string> keys;
    for (const auto& each : open_) {
        if (has_arrived(each)) {
            keys.insert(keys.end(), each.sent.request.begin(), each.sent.request.end());
        }
    }
    for (const auto& queued : who_.queue) {
        keys.insert(keys.end(), queued.begin(), queued.end());
    }
    if (std::ranges::find(keys, "FLUSHALL") != keys.end()) {
        for (const auto& each : model_.entries(time_point::min())) {
            keys.push_back(each.first);
        }
    }
    return keys;
}

}  // namespace butterdb::test
