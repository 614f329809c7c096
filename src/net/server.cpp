#include <butterdb/net/server.hpp>

#include <malloc.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

namespace butterdb {

namespace {

// What clients may leave behind in the process's heap.
constexpr std::uint64_t spare_bytes_max = 2 * MiB;

// Has malloc give its free pages to the system. By itself it keeps what lies below a block in use.
void give_back_memory() {
#ifdef __GLIBC__
    ::malloc_trim(0);
#endif
}

}  // namespace

server::server(
    asio::io_context& io, engine& db, const limits& lim, time_source& time, const logger& log)
    : io_(io),
      engine_(db),
      limits_(lim),
      time_(time),
      log_(log),
      sweeper_(time),
      rounds_(io.get_executor(), [&db] { db.fetch_expected(); }),
      handshakes_(io, time, lim),
      drain_alarm_(time.make_alarm([this] {
          log_.warning("cutting connections that did not end in time");
          sweeper_.close_all();
      })),
      heard_alarm_(time.make_alarm([this] { look_for_heard(); })),
      upkeep_alarm_(time.make_alarm([this] { upkeep(); })),
      wait_alarm_(time.make_alarm([this] { wake_late(); })),
      accept_alarm_(time.make_alarm([this] { accept_pause_.cancel(); })),
      accept_pause_(io, steady::time_point::max()),
      user_timeout_(lim.user_timeout()),
      password_throttle_(lim, db.entries().secret()) {
    engine_.on_wait = [this](peer& who, std::chrono::milliseconds span) {
        who.waits_until = time_.now() + span;
        wake_by(who.waits_until);
    };
    engine_.wall_clock = [this] { return time_.precise_wall(); };
    engine_.on_write_refused = [this] { note_write_refused(); };
    engine_.on_settings = [this] { apply_settings(); };
    engine_.pace_password = [this](const peer& who, bool is_right) {
        const auto delay = password_throttle_.delay_of(who.network, is_right, time_.now());
        const std::chrono::milliseconds most = limits_.administration_timeout;
        return who.administrative ? std::min(delay, most / 2) : delay;
    };
    engine_.on_refused = [this] {
        ++engine_.count.connections_rejected;
        note_full();
    };
    engine_.on_wrong_password = [this](const peer& who) {
        if (password_log_.due(time_.now())) {
            log_.warning("a wrong password from ", who.address ? who.address() : "a client");
        }
    };
}

server::~server() {
    stop_accepting();
    engine_.wall_clock = nullptr;
    engine_.on_write_refused = nullptr;
    engine_.on_wait = nullptr;
    engine_.on_settings = nullptr;
    engine_.pace_password = nullptr;
    engine_.on_refused = nullptr;
    engine_.on_wrong_password = nullptr;
    drained_ = nullptr;
    sweeper_.close_all();
    handshakes_.stop();
    io_.restart();
    while (tasks_ > 0 && io_.run_one() > 0) {
    }
}

// CONFIG SET has changed something: connections that are there follow.
void server::apply_settings() {
    sweeper_.set_idle_timeout(limits_.idle_timeout);
    if (user_timeout_ != limits_.user_timeout()) {
        user_timeout_ = limits_.user_timeout();
        sweeper_.set_user_timeouts(user_timeout_);
    }
}

void server::drain(std::function<void()> done) {
    drained_ = std::move(done);
    stop_accepting();
    sweeper_.drain();
    drain_alarm_->set(time_.now() + limits_.drain_patience());
    heard_alarm_->set(time_.now() + limits_.drain_look);
    note_drained();
}

// A machine may take its time to say that it has the last reply, and its client to leave.
void server::look_for_heard() {
    sweeper_.close_heard();
    heard_alarm_->set(time_.now() + limits_.drain_look);
}

void server::stop_accepting() noexcept {
    stopping_ = true;
    for (const auto& close : close_acceptors_) {
        close();
    }
    close_acceptors_.clear();
    accept_pause_.cancel();
}

// Runs a coroutine to its end; it is counted in `running` until then, however it ends. Throws
// std::bad_alloc, and nothing runs.
void server::spawn(task<> work, std::uint64_t& running) {
    auto done = [this, count = counted(*this, running)](const std::exception_ptr& why) mutable {
        const bool was_accepting = count.is_of(accepting_);
        count.release();
        ended(why, was_accepting);
    };
    butterdb::spawn(std::move(work), std::move(done));
}

void server::ended(const std::exception_ptr& failure, bool was_accepting) noexcept {
    try {
        if (failure) {
            std::rethrow_exception(failure);
        }
    } catch (const std::exception& why) {
        if (was_accepting) {
            log_.error("cannot accept any more: ", why.what());
            std::terminate();  // deaf, it would be of no use
        }
        if (failure_log_.due(time_.now())) {
            log_.error("a connection ended: ", why.what());
        }
    }
    note_drained();
}

void server::note_drained() {
    if (tasks_ == 0 && drained_) {
        drain_alarm_->cancel();
        heard_alarm_->cancel();
        accept_alarm_->cancel();
        upkeep_alarm_->cancel();
        wait_alarm_->cancel();
        sweeper_.stop();
        std::exchange(drained_, nullptr)();
    }
}

// A client that connects and leaves, as health checks do, has failed nothing.
bool server::is_departure(const asio::error_code& ec) {
    return ec == asio::error::eof || ec == asio::error::connection_reset;
}

void server::note_handshake(const std::string& why) {
    ++engine_.count.handshakes_failed;
    if (handshake_log_.due(time_.now())) {
        log_.warning("a TLS handshake failed: ", why);
    }
}

// Memory, or what TLS needs, cannot be had. The connection is closed, the next ones may do better.
void server::note_not_served(const std::exception& why) {
    if (memory_log_.due(time_.now())) {
        log_.error("cannot serve a connection: ", why.what());
    }
}

void server::note_write_refused() {
    if (full_log_.due(time_.now())) {
        log_.warning(
            "memory is full: writes are refused; raise --max-memory",
            engine_.entries().evicts() ? "" : ", or have entries evicted with --eviction clock");
    }
}

void server::note_denied(std::string_view who) {
    if (denied_log_.due(time_.now())) {
        log_.warning("protected mode: turned away ", who);
    }
}

void server::pause_accepting(const asio::error_code& why) {
    if (accept_log_.due(time_.now())) {
        log_.warning("cannot accept a connection, trying again: ", std::strerror(why.value()));
    }
    accept_alarm_->set(time_.now() + limits_.accept_pause);
}

// Tells the engine who the client is.
void server::introduce(peer& who, watched& watch) {
    who.connected = who.last_request = time_.wall();
    who.cut = [&watch] { watch.cut(); };
    who.wake = [&watch] { watch.wake(); };
    who.administration_proved = [&watch] { watch.administration_proved(); };
    who.login_changed = [this, &who, &watch] {
        if (who.stranger) {
            begin_login(watch, who.administrative, false);
        } else {
            watch.login_done();
        }
    };
}

// Returns whether a connection beyond the limit of clients may be served for administration. The
// one that has been silent for longest makes room for it; those that administer do not. One place
// is for the unix socket alone.
bool server::has_place_for_administrator(const peer_origin& from) {
    const auto places =
        limits_.administrators_max - (from.is_unix || limits_.administrators_max <= 1 ? 0 : 1);
    return from.is_local && places > 0 &&
           (sweeper_.administrative() < places ||
            sweeper_.end_silent_administrative(limits_.administration_silence));
}

// Whether a client is authenticated is asked from the start, also while it shakes hands. Clients
// that are not, or are still shaking hands, have a share of the places, and the oldest of them
// makes room.
void server::begin_login(watched& watch, bool administrative, bool has_handshake) {
    const bool is_asked = static_cast<bool>(engine_.admits);
    if (administrative) {
        watch.administration_begun(
            is_asked ? limits_.administration_timeout : std::chrono::seconds(0));
    } else if (is_asked || has_handshake) {
        const auto share = limits_.unauthenticated_max();
        while (sweeper_.unauthenticated() >= share) {
            sweeper_.close_oldest_unauthenticated();
        }
        watch.login_begun(limits_.login_timeout);
    }
}

// A connection is refused because there are too many.
void server::note_full() {
    ++refused_;
    log_refused();
}

void server::log_refused() {
    if (refused_ > 0 && refused_log_.due(time_.now())) {
        log_.warning(
            "the limit of clients is reached (--max-clients): connections refused since the last "
            "such line: ",
            std::to_string(std::exchange(refused_, 0)));
    }
}

// Runs while there is a client, or something left to do: without both it costs nothing.
void server::wake_upkeep() {
    if (!upkeep_awake_) {
        upkeep_alarm_->set(time_.now() + limits_.upkeep_interval);
        upkeep_awake_ = true;
    }
}

void server::upkeep() {
    log_refused();
    const bool more = engine_.upkeep(time_.wall());
    engine_.shed_clients();  // TLS may have taken memory without a request
    sweeper_.wake_starved();
    auto& requests = engine_.request_memory();
    if (requests.peak() >= requests.bytes_used() + spare_bytes_max) {
        requests.reset_peak();
        give_back_memory();
    }
    upkeep_awake_ = !stopping_ && (more || engine_.count.connected_clients > 0);
    if (upkeep_awake_) {
        upkeep_alarm_->set(time_.now() + (more ? limits_.upkeep_pause : limits_.upkeep_interval));
    }
}

// Somebody waits until then: one alarm for all of them.
void server::wake_by(steady::time_point until) {
    if (until < wake_at_) {
        wake_at_ = steady::time_point::max();  // should setting it throw
        wait_alarm_->set(until);
        wake_at_ = until;
    }
}

void server::wake_late() {
    wake_at_ = steady::time_point::max();
    const auto next = engine_.wake_late(time_.now());
    if (next) {
        wake_by(*next);
    }
}

void server::count_missed(const watched& watch) noexcept {
    auto& count = engine_.count;
    count.closed_idle += watch.missed() == awaits::request ? 1U : 0U;
    count.closed_unauthenticated += watch.missed() == awaits::password ? 1U : 0U;
    count.closed_in_request += watch.missed() == awaits::rest_of_request ? 1U : 0U;
    count.closed_unread += watch.missed() == awaits::reader ? 1U : 0U;
}

// That a client goes, in whatever way, is no news; what the server closed is counted.
void server::note_ending(const asio::error_code& ec, conversation& talk, const watched& watch) {
    const bool foreign = talk.how_it_ended() == conversation::ending::foreign;
    auto& count = engine_.count;
    count_missed(watch);
    count.closed_unacknowledged += ec == asio::error::timed_out ? 1U : 0U;
    count.closed_foreign += foreign ? 1U : 0U;
    const bool ordinary = !ec || ec == asio::error::eof || ec == asio::error::connection_reset ||
                          ec == asio::error::broken_pipe || ec == asio::error::timed_out ||
                          ec == asio::error::operation_aborted || ec == asio::error::bad_descriptor;
    if (ec == asio::error::not_found) {  // what Asio makes of input that may not grow
        if (memory_log_.due(time_.now())) {
            log_.error("no memory for a client's input: closed");
        }
    } else if (!ordinary && failure_log_.due(time_.now())) {
        log_.warning("a connection failed: ", ec.message());
    }
    if (foreign && foreign_log_.due(time_.now())) {
        log_.warning("closed a connection that spoke another protocol, such as HTTP or TLS");
    }
    if (talk.who().bytes_shed != 0 && memory_log_.due(time_.now())) {
        log_.warning(
            "closed a client that held " + std::to_string(talk.who().bytes_shed) +
            " bytes: all clients together were over " +
            std::to_string(limits_.client_memory_max()) + " (--max-client-memory)");
    }
}

}  // namespace butterdb
