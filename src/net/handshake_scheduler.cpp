#include <butterdb/base/assert.hpp>
#include <butterdb/net/handshake_scheduler.hpp>

namespace butterdb {

handshake_scheduler::handshake_scheduler(asio::io_context& io, time_source& time, const limits& lim)
    : io_(io), time_(time), limits_(lim), alarm_(time.make_alarm([this] { next_turn(); })) {}

handshake_scheduler::~handshake_scheduler() {
    for (const auto* each : {&fresh_, &ready_, &waiting_, &computing_, &leaving_}) {
        BUTTERDB_ASSERT(each->empty());
    }
}

void handshake_scheduler::stop() {
    is_stopped_ = true;
    alarm_->cancel();
    next_turn();
}

void handshake_scheduler::next_turn() {
    if (!computing_.empty() || (fresh_.empty() && ready_.empty())) {
        return;
    }
    if (!is_stopped_ && time_.now() < resume_at_) {
        alarm_->set(resume_at_);
        return;
    }
    auto* const next = choose();
    if (next != nullptr) {
        next->move_to(computing_);
        next->turn_began_ = time_.now();
        next->wake_.cancel();
    }
}

// Returns null if the next one has to wait for room.
handshake_scheduler::handshake* handshake_scheduler::choose() {
    if (!ready_.empty()) {
        return ready_.front();
    }
    if (begun_ < limits_.handshakes_max || is_stopped_) {
        return fresh_.front();
    }
    if (leaving_.empty() && !waiting_.empty()) {
        auto* const oldest = waiting_.front();
        oldest->move_to(leaving_);
        oldest->made_room_ = true;
        oldest->connection_.cut();
    }
    return nullptr;
}

void handshake_scheduler::pause_after(steady::duration step) {
    const auto parts = static_cast<steady::duration::rep>(limits_.handshake_share - 1);
    resume_at_ = time_.now() + step * parts;
}

handshake_scheduler::handshake::handshake(handshake_scheduler& all, watched& connection)
    : all_(all),
      connection_(connection),
      wake_(all.io_, steady::time_point::max()),
      in_(&all.fresh_),
      at_(in_->insert(in_->end(), this)) {
    connection_.set_timer(&wake_);
}

handshake_scheduler::handshake::~handshake() {
    connection_.set_timer(nullptr);
    end_turn();
    in_->erase(at_);
    all_.begun_ -= has_begun_ ? 1U : 0U;
    all_.next_turn();
}

void handshake_scheduler::handshake::move_to(row& where) noexcept {
    where.splice(where.end(), *in_, at_);
    in_ = &where;
}

task<> handshake_scheduler::handshake::turn() {
    if (has_begun_) {
        move_to(all_.ready_);
    }
    all_.next_turn();
    while (in_ != &all_.computing_ && !connection_.is_over()) {
        asio::error_code cancelled;
        co_await wake_.async_wait(into(cancelled));
    }
    if (in_ == &all_.computing_) {
        turn_began_ = all_.time_.now();
        all_.begun_ += has_begun_ ? 0U : 1U;
        has_begun_ = true;
    }
}

void handshake_scheduler::handshake::yield() {
    end_turn();
    move_to(all_.waiting_);
    all_.next_turn();
}

void handshake_scheduler::handshake::end_turn() {
    if (in_ == &all_.computing_) {
        all_.pause_after(all_.time_.now() - turn_began_);
    }
}

}  // namespace butterdb
