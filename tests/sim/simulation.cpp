#include "sim/simulation.hpp"

#include "sim/failing_new.hpp"
#include "sim/network.hpp"
#include "support/failing_resource.hpp"
#include "support/judge.hpp"
#include "support/manual_time.hpp"
#include "support/reference.hpp"
#include "support/request_maker.hpp"
#include "support/trace.hpp"
#include <butterdb/net/server.hpp>

#include <algorithm>
#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace butterdb::test::sim {

namespace {

using namespace std::chrono_literals;

void expect(bool holds, const std::string& promise) {
    if (!holds) {
        throw broken_promise(promise);
    }
}

/// What a client does when it has said everything, or earlier.
enum class manner {
    takes_leave,    ///< QUIT or EXIT, and reads to the end
    half_closes,    ///< closes its side, and reads to the end
    closes,         ///< waits for its replies, then closes
    stays,          ///< waits for its replies, and for the end of the server
    resets,         ///< goes away in the middle
    stops_reading,  ///< in the middle, for ever
    stops_sending,  ///< in the middle of a request, for ever
};

bool behaves(manner how) {
    return how <= manner::stays;
}

/// Which faults may happen in this run.
struct faults {
    bool accepts_fail;
    bool store_memory_fails;
    bool client_memory_fails;
    bool spawns_fail;
    bool clock_jumps;
    bool pauses;
    bool misbehaviour;
    bool drains_early;
};

class simulation;

/// A client and its connection.
class client {
public:
    client(simulation& owner, std::uint64_t number);
    client(const client&) = delete;
    client& operator=(const client&) = delete;

    bool act();
    bool is_done() const { return done_; }
    bool has_to_finish() const;
    /// It reads, and has nothing under way but perhaps a wait for a key.
    bool is_quiet() const { return behaves(manner_) && unsent_.empty() && expected_.empty(); }
    std::string describe() const;
    void expect_all_received();
    std::uint64_t requests_sent() const { return requests_sent_; }
    /// Bytes that the server has to keep for it while it is idle, at most.
    std::uint64_t bytes_kept() const;

private:
    void connect();
    bool send();
    bool receive();
    bool say_goodbye();
    void next_request();
    void finish();
    void on_turn(std::string_view bytes);
    void on_cut();
    void on_gone();

    simulation& sim_;
    std::uint64_t number_;
    request_style style_;
    manner manner_ = manner::takes_leave;
    bool writes_first_ = false;  // reads nothing before it has sent everything
    bool has_sent_all_ = false;
    std::uint64_t requests_due_ = 0;
    std::uint64_t requests_sent_ = 0;
    std::uint64_t stops_at_ = 0;  // bytes sent or received before it misbehaves
    steady::time_point paused_until_{};

    std::shared_ptr<link> link_;
    std::optional<judge> judge_;
    std::optional<request_maker> maker_;
    std::string unsent_;
    std::string expected_;  // replies that have been written for it, and not received
    std::uint64_t bytes_sent_ = 0;
    std::uint64_t bytes_received_ = 0;
    std::uint64_t refusals_ = 0;  // of memory, at its last turn
    bool connected_ = false;
    bool said_last_ = false;
    bool ended_sending_ = false;
    bool turned_away_ = false;
    bool cut_ = false;
    bool broken_ = false;  // its session ended because memory failed
    bool done_ = false;
};

class simulation {
public:
    explicit simulation(std::uint64_t seed) : choose_(seed, UINT64_MAX) {
        choose_faults();
        choose_limits();
        if (choose_.one_in(6)) {
            model.password = "secret";
            engine_->admits = [](std::string_view said) { return said == "secret"; };
        }
        const auto count = 2 + choose_.below(5);
        for (unsigned i = 0; i < count; ++i) {
            clients_.push_back(std::make_unique<client>(*this, i));
        }
        stream::on_prepare = [this] {
            const bool is_admitted = engine_->count.connected_clients < limits_.clients_max;
            if (may.spawns_fail && faulty && is_admitted && choose_.one_in(8)) {
                fail_allocations_after(choose_.below(8), 1 + choose_.below(3));
            }
        };
        server_->accept_from(door, [this](stream each) {
            try {
                server_->admit(std::move(each));
            } catch (...) {
                allow_allocations();
                throw;
            }
            allow_allocations();
        });
    }

    ~simulation() {
        stream::on_prepare = [] {};
    }
    simulation(const simulation&) = delete;
    simulation& operator=(const simulation&) = delete;

    tally run() {
        drain_at_ = may.drains_early ? choose_.below(1'500) : UINT64_MAX;
        while (!all_done()) {
            step();
        }
        faulty = false;
        drain_at_ = UINT64_MAX;
        finish();
        tally_.refused_writes = store_memory.refusals();
        for (const auto& each : clients_) {
            tally_.requests += each->requests_sent();
        }
        tally_.failed_accepts = door.failures();
        return tally_;
    }

    choices& choose() { return choose_; }
    const limits& bounds() const { return limits_; }
    bool draining() const { return draining_; }
    bool drain_is_over() { return time.now() >= drain_deadline_; }
    /// True once for each client that is closed because all hold too much.
    bool take_cut_for_memory() {
        const bool cut = engine_->count.closed_for_memory > cut_for_memory_;
        cut_for_memory_ += cut ? 1U : 0U;
        return cut;
    }
    /// True when the store has not got memory since this was asked last.
    bool store_has_failed() {
        const auto before = std::exchange(store_refusals_, store_memory.refusals());
        return store_memory.refusals() > before;
    }
    /// Keeps what a callback throws, which must not go through the server, for the next step.
    template <typename Act>
    void note(Act act) {
        try {
            act();
        } catch (...) {
            failure_ = failure_ ? failure_ : std::current_exception();
        }
    }
    std::uint64_t passwords_failed() const { return engine_->count.passwords_failed; }
    std::uint64_t clients_connected() const { return engine_->count.connected_clients; }
    asio::io_context& io() { return io_; }
    /// Time as nobody sets it.
    time_point uptime() {
        return time_point(
            std::chrono::floor<std::chrono::milliseconds>(time.now().time_since_epoch()));
    }

    // The reference is told what the store has where a session has died.
    void ask_about(const std::vector<std::string>& keys) {
        for (const auto& key : keys) {
            const auto found = entries_.find(key, time.wall());
            model.adopt(
                key,
                found ? std::optional(reference::entry{std::string(found->value), found->deadline})
                      : std::nullopt);
        }
        ++tally_.broken_sessions;
    }

    faults may{};
    bool faulty = true;  // faults happen
    manual_time time;
    failing_resource store_memory;
    failing_resource client_memory;
    reference model{limits_};
    acceptor door{io_, choose_};

private:
    void choose_faults() {
        const auto any = [this](unsigned one_in) { return choose_.one_in(one_in); };
        may = {any(4), any(4), any(8), any(8), any(8), any(3), any(3), any(4)};
    }

    void choose_limits() {
        if (choose_.one_in(3)) {
            limits_.key_bytes_max = 4 + choose_.below(30);
            limits_.value_bytes_max = limits_.key_bytes_max + 1 + choose_.below(100);
            limits_.line_bytes_max = 100 + choose_.below(400);
            limits_.request_bytes =
                choose_.one_in(4) ? 50 + choose_.below(100) : 4 * limits_.value_bytes_max + 300;
            limits_.watched_keys_max = 1 + choose_.below(3);
            limits_.queued_requests_max = 1 + choose_.below(4);
        }
        if (choose_.one_in(3)) {
            limits_.output_bytes_max = 1 + choose_.below(500);
            limits_.output_bytes_kept = choose_.below(100);
            limits_.turn_requests_max = 1 + choose_.below(5);
            limits_.turn_time_max = std::chrono::microseconds(choose_.below(3));
        }
        if (choose_.one_in(3)) {
            limits_.input_bytes_initial = 1 + choose_.below(200);
            limits_.input_bytes_steady = limits_.input_bytes_initial * 2;
        }
        if (choose_.one_in(6)) {
            limits_.clients_max = 1 + choose_.below(3);
        }
        if (choose_.one_in(8)) {
            limits_.client_memory = 20'000 + choose_.below(40'000);
        }
        limits_.accepts_max = 1 + choose_.below(4);
        limits_.farewells_max = choose_.below(3);
        if (choose_.one_in(2)) {
            limits_.idle_timeout = 60s;
        }
    }

    bool all_done() const {
        return std::ranges::all_of(clients_, [](const auto& each) { return each->is_done(); });
    }

    void step() {
        ++tally_.steps;
        if (tally_.steps == drain_at_) {
            drain();
        }
        if (faulty) {
            make_trouble();
        }
        const auto actors = static_cast<unsigned>(clients_.size() + 2);
        const auto first = choose_.below(actors);
        bool acted = false;
        for (unsigned i = 0; i < actors && !acted; ++i) {
            acted = act((first + i) % actors);
        }
        if (acted) {
            waited_ = {};
        } else {
            wait();
        }
        if (failure_) {
            std::rethrow_exception(failure_);
        }
        check_bounds();
    }

    bool act(unsigned actor) {
        if (actor == 0) {
            io_.restart();
            return (choose_.one_in(2) ? io_.poll_one() : io_.poll()) > 0;
        }
        if (actor == 1) {
            const bool fails = may.accepts_fail && faulty && choose_.one_in(10);
            return door.act(fails);
        }
        return clients_[actor - 2]->act();
    }

    // Nobody can do anything: time goes on.
    void wait() {
        const auto span = std::chrono::milliseconds(1 + choose_.below(400));
        waited_ += span;
        time.advance(span);
        if (waited_ > 10s) {
            faulty = false;
        }
        for (const auto& each : clients_) {
            expect(
                waited_ < 200s || !each->has_to_finish(),
                "a client that behaves does not get on: " + each->describe());
        }
        if (waited_ >= 200s && !draining_) {
            drain();
        }
        constexpr auto sweep_and_leave = 2s;
        expect(
            !draining_ || time.now() < drain_deadline_ + sweep_and_leave, "the drain ends in time");
        expect(
            !all_quiet_ || faulty || limits_.drain < 5s || time.now() < drain_deadline_,
            "clients that are quiet hold up no drain");
    }

    void make_trouble() {
        if (choose_.one_in(30)) {
            time.advance(std::chrono::microseconds(choose_.below(9'000)));
        }
        if (may.store_memory_fails && choose_.one_in(20)) {
            fail_soon(store_memory, 20);
        }
        if (may.client_memory_fails && choose_.one_in(100)) {
            fail_soon(client_memory, 4);
        }
        if (choose_.one_in(40)) {
            store_memory.never_fail();
            client_memory.never_fail();
        }
        if (may.clock_jumps && choose_.one_in(100)) {
            jump();
        }
    }

    void fail_soon(failing_resource& memory, unsigned within) {
        memory.fail_at(
            1 + choose_.below(within),
            choose_.one_in(2) ? failing_resource::mode::once
                              : failing_resource::mode::from_then_on);
    }

    // Entries past their deadline go before the clock goes back: they must not be seen again, and
    // whether they were deleted already is up to the store.
    void jump() {
        for (const auto& each : model.expired(time.wall())) {
            entries_.erase(each, time.wall());
            model.forget(each);
        }
        const std::chrono::milliseconds span(choose_.below(20'000));
        time.set_wall(choose_.one_in(2) ? time.wall() + span : time.wall() - span);
    }

    // Sessions give back what an idle client does not need; those that do not get on are closed.
    void rest() {
        for (waited_ = {}; waited_ < 45s;) {
            step();
        }
        const auto idle_bytes = limits_.input_bytes_initial + limits_.output_bytes_kept + 512;
        std::uint64_t held_max = 0;
        for (const auto& each : clients_) {
            held_max += idle_bytes + each->bytes_kept();
        }
        expect(
            engine_->client_memory().bytes_used() <= held_max,
            "idle clients hold " + std::to_string(engine_->client_memory().bytes_used()) +
                " bytes, at most " + std::to_string(held_max));
    }

    void check_bounds() const {
        expect(
            engine_->count.connected_clients <= limits_.clients_max,
            "there are no more clients than allowed");
        expect(entries_.bytes_used() == store_memory.bytes_held(), "the store's bytes are exact");
        expect(
            engine_->request_memory().bytes_used() == client_memory.bytes_held(),
            "the clients' bytes are exact");
    }

    void drain() {
        trace(99, "drain");
        draining_ = true;
        drain_deadline_ = time.now() + limits_.drain_patience();
        all_quiet_ =
            std::ranges::all_of(clients_, [](const auto& each) { return each->is_quiet(); });
        model.may_give_up_waiting = true;
        tally_.drained_early += all_done() ? 0U : 1U;
        server_->drain([this] { drained_ = true; });
    }

    void finish() {
        store_memory.never_fail();
        client_memory.never_fail();
        if (!draining_) {
            if (choose_.one_in(4)) {
                rest();
            }
            drain();
        }
        for (waited_ = {}; !drained_;) {
            step();
        }
        const auto count = engine_->count;
        expect(server_->tasks() == 0, "no coroutine is left");
        expect(count.connected_clients == 0, "no client is counted");
        expect(engine_->waiting_clients() == 0, "nobody waits");
        for (const auto& each : clients_) {
            each->expect_all_received();
        }
        expect(engine_->client_memory().bytes_used() == 0, "clients that have left hold no memory");
        server_.reset();
        io_.restart();
        io_.poll();
        tally_.cut = count.closed_idle + count.closed_in_request + count.closed_unread +
                     count.closed_for_memory;
        tally_.connections = count.connections_received;
        engine_.reset();
        expect(client_memory.bytes_held() == 0, "no buffer is left");
        compare();
        entries_.clear();
        for (int i = 0; i < 10'000 && entries_.bytes_used() != bytes_when_empty_; ++i) {
            entries_.sweep(time.wall(), 1'000);
        }
        expect(entries_.bytes_used() == bytes_when_empty_, "an empty store has its first size");
    }

    void compare() {
        const auto now = time.wall();
        const auto expected = model.entries(now);
        for (const auto& [key, entry] : expected) {
            const auto found = entries_.find(key, now);
            const bool same =
                found && found->value == entry.value && found->deadline == entry.deadline;
            expect(same, "what was promised under '" + shown(key) + "' is there");
        }
        std::size_t count = 0;
        std::uint64_t cursor = 0;
        do {
            cursor = entries_.scan(cursor, 100, now, [&](const store::entry&) { ++count; });
        } while (cursor != 0);
        expect(count == expected.size(), "nothing else is there");
    }

    choices choose_;
    limits limits_;
    asio::io_context io_{ASIO_CONCURRENCY_HINT_UNSAFE};
    logger quiet_{log_level::none};
    store entries_{store_memory, {64 * MiB, 1}};
    std::uint64_t bytes_when_empty_ = entries_.bytes_used();
    std::optional<engine> engine_{std::in_place, entries_, limits_, client_memory};
    std::vector<std::unique_ptr<client>> clients_;
    std::optional<server> server_{std::in_place, io_, *engine_, limits_, time, quiet_};

    tally tally_;
    std::uint64_t drain_at_ = UINT64_MAX;
    steady::duration waited_{};
    steady::time_point drain_deadline_ = steady::time_point::max();
    bool all_quiet_ = false;  // when the drain began
    bool draining_ = false;
    bool drained_ = false;
    std::uint64_t cut_for_memory_ = 0;
    std::uint64_t store_refusals_ = 0;
    std::exception_ptr failure_;
};

// A client.

client::client(simulation& owner, std::uint64_t number) : sim_(owner), number_(number) {
    auto& choose = sim_.choose();
    const auto& lim = sim_.bounds();
    const bool tiny = lim.request_bytes != 0;
    style_.password = !sim_.model.password.empty();
    style_.lines = choose.below(3) != 0;
    style_.resp = !style_.lines || choose.below(2) != 0;
    const bool roomy = lim.client_memory == 0;  // else replies of large values are refused
    style_.large_values = choose.one_in(6) && !style_.password && roomy;
    style_.partial_writes = !sim_.may.store_memory_fails;
    style_.over_limits = choose.one_in(3) && tiny && !style_.password;
    style_.nonsense = choose.one_in(6);
    const auto manners = sim_.may.misbehaviour ? 7U : 4U;
    manner_ = static_cast<manner>(choose.below(manners));
    // Without faults of memory the server reads on however long the replies wait.
    const bool is_read_ahead = roomy && !style_.password && !sim_.may.client_memory_fails;
    writes_first_ = is_read_ahead && choose.one_in(4);
    requests_due_ = 20 + choose.below(60);
    stops_at_ = choose.below(2'000);
}

bool client::act() {
    if (!connected_) {
        connect();
        return true;
    }
    const auto first = sim_.choose().below(3);
    bool acted = false;
    for (unsigned i = 0; i < 3 && !acted; ++i) {
        switch ((first + i) % 3) {
            case 0:
                acted = !done_ && send();
                break;
            case 1:
                acted = !done_ && receive();
                break;
            default:
                acted = link_->act();
                break;
        }
    }
    if (!done_) {
        finish();
    }
    return acted;
}

void client::connect() {
    connected_ = true;
    auto& choose = sim_.choose();
    link_ = std::make_shared<link>(sim_.io(), choose, number_);
    link_->window = 1 + choose.below(choose.one_in(4) ? 60'000 : 500);
    if (writes_first_) {
        link_->inbound_window = 50 + choose.below(500);  // with less the client would trickle
    }
    judge_.emplace(sim_.model, number_);
    maker_.emplace(choose, sim_.bounds(), style_);
    link_->on_turn = [this](std::string_view bytes) { sim_.note([&] { on_turn(bytes); }); };
    link_->on_read = [this](std::size_t bytes) { judge_->arrived(bytes, sim_.uptime()); };
    link_->on_cut = [this] { sim_.note([&] { on_cut(); }); };
    link_->on_gone = [this] { sim_.note([&] { on_gone(); }); };
    link_->is_paused = [this] {
        if (sim_.may.pauses && sim_.faulty && sim_.choose().one_in(100)) {
            const std::chrono::milliseconds pause(sim_.choose().below(500));
            paused_until_ = sim_.time.now() + pause;
        }
        return sim_.time.now() < paused_until_;
    };
    sim_.door.connect(link_);
}

bool client::send() {
    if (manner_ == manner::stops_sending && bytes_sent_ >= stops_at_ && !unsent_.empty()) {
        return false;
    }
    if (unsent_.empty()) {
        next_request();
    }
    has_sent_all_ = unsent_.empty();
    if (unsent_.empty()) {
        return say_goodbye();
    }
    auto& choose = sim_.choose();
    const auto sendable = std::min(unsent_.size(), link_->sendable());
    if (sendable == 0) {
        return false;
    }
    const auto all = static_cast<unsigned>(std::min<std::size_t>(sendable, 65'535));
    const auto count = choose.one_in(3) ? 1 + choose.below(all) : sendable;
    link_->send(std::string_view(unsent_).substr(0, count));
    unsent_.erase(0, count);
    bytes_sent_ += count;
    return true;
}

// Another one, unless all has been said, or the server must close now.
void client::next_request() {
    if (said_last_ || sim_.draining() || judge_->must_close()) {
        return;
    }
    sent_request request;
    if (requests_sent_ == 0 && style_.password && !sim_.choose().one_in(4)) {
        request = maker_->say(style_.secret);
    } else if (requests_sent_ < requests_due_) {
        request = maker_->next();
    } else {
        said_last_ = true;
        if (manner_ != manner::takes_leave) {
            return;
        }
        request = maker_->leave();
    }
    ++requests_sent_;
    unsent_ = request.bytes;
    judge_->sent(std::move(request));
}

bool client::say_goodbye() {
    const bool closes = manner_ == manner::half_closes && (said_last_ || sim_.draining());
    if (!closes || ended_sending_) {
        return false;
    }
    if (sim_.choose().one_in(3)) {
        link_->send("GET k");  // a line without its end is nothing
    }
    link_->end_sending();
    ended_sending_ = true;
    return true;
}

bool client::receive() {
    const bool server_ends = sim_.draining() || judge_->must_close() || link_->has_ended_output();
    const bool is_writing = writes_first_ && !has_sent_all_ && !server_ends;
    const bool stopped = manner_ == manner::stops_reading && bytes_received_ >= stops_at_;
    if (stopped || is_writing || !link_->something_to_receive()) {
        return false;
    }
    const auto bytes = link_->receive();
    expect(expected_.starts_with(bytes), "a client receives what was written for it, in order");
    expected_.erase(0, bytes.size());
    bytes_received_ += bytes.size();
    return true;
}

// Looks whether the client's part is over.
void client::finish() {
    const bool heard_all =
        expected_.empty() && unsent_.empty() && said_last_ && judge_->oldest() == nullptr;
    switch (manner_) {
        case manner::closes:
            if (heard_all) {
                link_->end_sending();
                ended_sending_ = done_ = true;
            }
            break;
        case manner::stays:
            done_ = heard_all;
            break;
        case manner::resets:
            if (bytes_sent_ + bytes_received_ >= stops_at_) {
                link_->reset();
                done_ = true;
            }
            break;
        case manner::stops_reading:
            done_ = bytes_received_ >= stops_at_;
            break;
        case manner::stops_sending:
            done_ = bytes_sent_ >= stops_at_ && !unsent_.empty();
            break;
        case manner::takes_leave:
        case manner::half_closes:
            break;
    }
    done_ = done_ || link_->at_end();
}

bool client::has_to_finish() const {
    return behaves(manner_) && !done_;
}

// Requests that are queued or have not come whole, watched keys, and a key that is waited for; all
// with their bookkeeping.
std::uint64_t client::bytes_kept() const {
    constexpr std::uint64_t entry = 128;
    if (!judge_) {
        return 0;
    }
    std::uint64_t bytes = judge_->bytes_open() + entry;
    for (const auto& request : judge_->who().queue) {
        for (const auto& word : request) {
            bytes += word.size() + entry;
        }
    }
    for (const auto& [key, past] : judge_->who().watched) {
        bytes += key.size() + entry;
    }
    return 2 * bytes;
}

std::string client::describe() const {
    std::string text("client ");
    text.append(std::to_string(number_)).append(", manner ");
    text.append(std::to_string(static_cast<int>(manner_)));
    text.append(done_ ? ", done" : "").append(said_last_ ? ", said its last" : "");
    text.append(unsent_.empty() ? "" : ", unsent: ").append(shown(unsent_));
    text.append(expected_.empty() ? "" : ", not received: ").append(shown(expected_));
    const auto* const open = judge_ ? judge_->oldest() : nullptr;
    text.append(open == nullptr ? "" : ", not answered: " + shown(open->bytes));
    return text;
}

void client::on_turn(std::string_view bytes) {
    constexpr std::string_view too_many = "-ERR max number of clients reached\r\n";
    expected_ += bytes;
    if (bytes == too_many && link_->produced() == bytes.size()) {
        turned_away_ = true;
        expect(
            sim_.clients_connected() >= sim_.bounds().clients_max,
            "who is turned away is one too many");
        return;
    }
    auto& gives_up = sim_.model.may_give_up_waiting;
    const auto before = gives_up;
    sim_.model.memory_may_fail = sim_.store_has_failed();
    gives_up = gives_up || ended_sending_ || judge_->bytes_open() > sim_.bounds().line_bytes_max;
    sim_.model.uptime = sim_.uptime();
    judge_->replied(bytes, sim_.time.wall());
    gives_up = before;
    refusals_ = sim_.client_memory.refusals();
}

// The server closes the socket under a session that has not ended.
void client::on_cut() {
    const auto cut_for_memory = sim_.take_cut_for_memory();
    const bool in_time = sim_.draining() && !sim_.drain_is_over();
    const bool idle = done_ && sim_.bounds().idle_timeout.count() != 0;
    const bool slow_stranger = judge_->who().stranger;  // strangers have little time to read
    cut_ = true;
    expect(
        !behaves(manner_) || cut_for_memory || slow_stranger || idle ||
            (sim_.draining() && !in_time) || link_->has_ended_output(),
        "a client that behaves is not closed early");
}

void client::on_gone() {
    const bool no_memory = take_allocation_failure() || sim_.client_memory.refusals() > refusals_;
    if (no_memory && !turned_away_) {
        broken_ = true;
        sim_.ask_about(judge_->keys_at_stake());
    }
}

void client::expect_all_received() {
    const bool excused = cut_ || broken_ || turned_away_ || !behaves(manner_) || !connected_;
    if (excused) {
        return;
    }
    expect(link_->produced() == link_->written(), "all replies are written");
    expect(link_->lost() == 0 && expected_.empty(), "all replies arrive");
    // The reply to a password is delayed once clients of the network have guessed. A client that
    // closes its side meanwhile, or meets the end of the server, receives no more.
    const bool is_delayed = sim_.passwords_failed() >= sim_.bounds().passwords_prompt;
    judge_->expect_answered(is_delayed);
}

}  // namespace

tally simulate(std::uint64_t seed) {
    return simulation(seed).run();
}

}  // namespace butterdb::test::sim
