#include "sim/network.hpp"

#include "sim/failing_new.hpp"
#include "support/trace.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <system_error>

namespace butterdb::test::sim {

namespace {

// How many of `count` bytes: often all, else any number from `least` on.
std::size_t some_of(choices& choose, std::size_t count, std::size_t least) {
    if (count <= least || choose.one_in(2)) {
        return count;
    }
    const auto more = static_cast<unsigned>(std::min<std::size_t>(count - least, 65'535));
    return least + choose.below(more + 1);
}

}  // namespace

// The client's side.

void link::send(std::string_view bytes) {
    if (!gone_ && !reset_) {
        inbound_ += bytes;
    }
}

void link::reset() {
    reset_ = true;
    inbound_.clear();
    outbound_.clear();
    acknowledged_ = 0;
}

std::string link::receive() {
    const auto count = some_of(choose_, acknowledged_, 1);
    auto bytes = outbound_.substr(0, count);
    outbound_.erase(0, count);
    acknowledged_ -= count;
    return bytes;
}

// Between the two.

bool link::act() {
    if (is_paused()) {
        return false;
    }
    const std::array steps{&link::act_for_reader, &link::act_for_readiness, &link::acknowledge};
    const auto first = choose_.below(steps.size());
    for (std::size_t i = 0; i < steps.size(); ++i) {
        if ((this->*steps.at((first + i) % steps.size()))()) {
            return true;
        }
    }
    return false;
}

bool link::act_for_reader() {
    if (!read_) {
        return false;
    }
    if (reset_) {
        read_.complete(asio::error::connection_reset, 0);
    } else if (!inbound_.empty()) {
        read_.complete({}, take_inbound(room_));
    } else if (inbound_ended_) {
        read_.complete(asio::error::eof, 0);
    } else {
        return false;
    }
    return true;
}

bool link::act_for_readiness() {
    if (!ready_) {
        return false;
    }
    const bool has_input = !inbound_.empty() || inbound_ended_;
    if (reset_ || space() > 0) {
        ready_.complete({}, readiness::output);
    } else if (awaits_input_ && has_input) {
        ready_.complete({}, readiness::input);
    } else {
        return false;
    }
    return true;
}

bool link::acknowledge() {
    const auto left = outbound_.size() - acknowledged_;
    acknowledged_ += some_of(choose_, left, 1);
    return left > 0;
}

// The server's side.

std::size_t link::take_inbound(std::span<char> room) {
    const auto count = some_of(choose_, std::min(room.size(), inbound_.size()), 1);
    std::memcpy(room.data(), inbound_.data(), count);
    inbound_.erase(0, count);
    if (!outbound_ended_) {  // else it is only thrown away
        on_read(count);
    }
    return count;
}

std::size_t link::take_outbound(std::string_view bytes, std::size_t least) {
    const auto count = some_of(choose_, std::min(space(), bytes.size()), least);
    outbound_ += bytes.substr(0, count);
    written_ += count;
    return count;
}

std::size_t link::write_now(std::string_view bytes, asio::error_code& ec) {
    const auto fresh = bytes.substr(produced_ - written_);
    produced_ += fresh.size();
    on_turn(fresh);
    ec.clear();
    if (closed_) {
        ec = asio::error::bad_descriptor;
    } else if (reset_ && !bytes.empty()) {
        ec = asio::error::broken_pipe;
    }
    return ec ? 0 : take_outbound(bytes, 0);
}

std::size_t link::read_now(std::span<char> room) {
    return inbound_.empty() || closed_ ? 0 : take_inbound(room);
}

void link::abort_operations() {
    if (read_) {
        read_.complete(asio::error::operation_aborted, 0);
    }
    if (ready_) {
        ready_.complete(asio::error::operation_aborted, readiness::output);
    }
}

// A socket that is closed with unread input resets the connection, and what the peer's machine has
// not acknowledged is destroyed.
void link::close_server_side() {
    if (!closed_ && !reset_ && !inbound_.empty()) {
        lost_ += outbound_.size() - acknowledged_;
        outbound_.resize(acknowledged_);
    }
    closed_ = true;
    outbound_ended_ = true;
}

void stream::close(asio::error_code& ec) {
    const unfailing_allocations within;
    ec.clear();
    trace(link_->number_, "is cut");
    link_->on_cut();
    link_->close_server_side();
    link_->abort_operations();
}

void stream::cancel(asio::error_code& ec) {
    const unfailing_allocations within;
    ec.clear();
    link_->abort_operations();
}

void stream::release() noexcept {
    if (link_ != nullptr) {
        const auto held = std::move(link_);
        held->close_server_side();
        held->gone_ = true;
        trace(held->number_, "is gone");
        held->on_gone();
    }
}

// Coming in.

void acceptor::connect(std::shared_ptr<link> client) {
    if (open_) {
        backlog_.push_back(std::move(client));
    } else {
        const stream refused(std::move(client));
    }
}

stream acceptor::accept(asio::error_code& ec) {
    if (backlog_.empty() || choose_.one_in(4)) {
        ec = asio::error::would_block;
        return {};
    }
    ec.clear();
    stream accepted(std::move(backlog_.front()));
    backlog_.pop_front();
    return accepted;
}

void acceptor::close(asio::error_code& ec) {
    ec.clear();
    open_ = false;
    if (accept_) {
        accept_.complete(asio::error::operation_aborted, stream());
    }
    for (auto& each : backlog_) {
        const stream refused(std::move(each));
    }
    backlog_.clear();
}

bool acceptor::act(bool may_fail) {
    if (!accept_) {
        return false;
    }
    if (may_fail && choose_.one_in(3)) {
        static constexpr std::array<std::errc, 5> failures{
            std::errc::too_many_files_open,
            std::errc::too_many_files_open_in_system,
            std::errc::no_buffer_space,
            std::errc::not_enough_memory,
            std::errc::connection_aborted};
        ++failures_;
        const auto why = failures.at(choose_.below(failures.size()));
        accept_.complete(std::make_error_code(why), stream());
        return true;
    }
    if (backlog_.empty()) {
        return false;
    }
    accept_.complete({}, stream(std::move(backlog_.front())));
    backlog_.pop_front();
    return true;
}

}  // namespace butterdb::test::sim
