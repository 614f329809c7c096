#include "load.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <numeric>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>

namespace butterdb::bench {

namespace {

constexpr std::size_t send_first_bytes_max = 32 * KiB;
constexpr std::uint64_t behind_max = 1'000'000;  // requests sent and not answered, of all clients
constexpr auto short_interval = std::chrono::milliseconds(250);
constexpr auto long_interval = std::chrono::seconds(1);
constexpr seconds short_test_max{60};

// A server has this long to close a connection that this tool has ended. All that it still sends is
// more than it was asked for.
constexpr auto close_patience = std::chrono::seconds(1);

// Refusals are counted by their code, so that a server cannot fill memory with codes.
constexpr std::size_t code_bytes_max = 32;
constexpr std::size_t error_kinds_max = 64;

// What a thread measured in one interval.
struct interval_result {
    histogram latency;
    std::uint64_t errors = 0;
};

// Puts the intervals of all threads together.
class timeline {
public:
    timeline(std::size_t threads, steady::duration interval, progress tell)
        : interval_(interval), tell_(std::move(tell)), next_(threads) {}

    // Each thread's intervals come in order.
    void add(std::size_t thread, const interval_result& part) {
        const std::scoped_lock lock(mutex_);
        const auto index = next_[thread]++;
        while (open_.size() <= index - done_) {
            open_.emplace_back();
        }
        auto& sum = open_[index - done_];
        sum.latency.add(part.latency);
        sum.errors += part.errors;
        finish_complete();
    }

    // A thread has no more.
    void end(std::size_t thread) {
        const std::scoped_lock lock(mutex_);
        next_[thread] = SIZE_MAX;
        finish_complete();
    }

    std::vector<moment> moments() && { return std::move(moments_); }

private:
    void finish_complete() {
        const auto complete = std::ranges::min(next_);
        while (done_ < complete && !open_.empty()) {
            ++done_;
            const auto& sum = open_.front();
            const seconds span = interval_;
            moment each;
            each.at = span * static_cast<double>(done_);
            each.throughput = static_cast<double>(sum.latency.count()) / span.count();
            each.p50 = sum.latency.percentile(50);
            each.p99 = sum.latency.percentile(99);
            each.max = sum.latency.max();
            each.errors = sum.errors;
            moments_.push_back(each);
            open_.pop_front();
            if (tell_) {
                tell_(each);
            }
        }
    }

    steady::duration interval_;
    progress tell_;
    std::mutex mutex_;
    std::vector<std::size_t> next_;  // interval of each thread
    std::size_t done_ = 0;
    std::deque<interval_result> open_;  // from done_ on
    std::vector<moment> moments_;
};

// What the threads of one test share.
struct shared_state {
    shared_state(const target& under_test, const load& wanted, const progress& tell)
        : server(under_test),
          test(wanted),
          plan(wanted.work, wanted.clients),
          access(under_test.where),
          interval(
              wanted.duration > short_test_max ? steady::duration(long_interval)
                                               : steady::duration(short_interval)),
          history(wanted.threads, interval, tell) {}

    const target& server;
    const load& test;
    request_plan plan;
    server_access access;
    steady::duration interval;
    timeline history;
    steady::time_point start;  // of the measurement
    std::atomic<std::uint64_t> behind{0};
    std::atomic<bool> stop{false};
    std::mutex mutex;
    std::condition_variable changed;
    std::size_t connected = 0;  // threads; guarded by mutex, as the next two
    bool may_begin = false;
    std::exception_ptr failure;

    // Returns when the test ends, if it has a duration.
    steady::time_point end() const {
        return start + std::chrono::duration_cast<steady::duration>(test.duration);
    }

    void keep(const std::exception_ptr& why) {
        const std::scoped_lock lock(mutex);
        if (why && !failure) {
            failure = why;
            stop = true;
        }
    }
};

// The clients of one thread.
class worker {
public:
    worker(shared_state& all, std::size_t number) : all_(all), number_(number) {
        const auto& test = all.test;
        for (auto client = number; client < test.clients; client += test.threads) {
            clients_.push_back(std::make_unique<load_client>(*this, client));
        }
    }

    void run() {
        try {
            if (const auto& cpus = all_.test.cpus; !cpus.empty()) {
                const auto cpu = cpus[number_ % cpus.size()];
                if (!pin_this_thread(cpu)) {
                    throw std::runtime_error("there is no processor " + std::to_string(cpu));
                }
            }
            for (auto& each : clients_) {
                spawn(connect(*each));
            }
            run_to_end();
        } catch (...) {
            all_.keep(std::current_exception());
        }
        if (!wait_for_begin()) {
            return;
        }
        cpu_before_ = thread_cpu_time();
        try {
            for (auto& each : clients_) {
                spawn(all_.test.open_loop() ? pace(*each) : drive(*each));
            }
            butterdb::spawn(tick(), [](const std::exception_ptr&) {});
            run_to_end();
        } catch (...) {
            all_.keep(std::current_exception());
        }
        ended_ = steady::now();
        result_.latency.add(now_.latency);
        all_.history.end(number_);
        const seconds elapsed = ended_ - all_.start;
        result_.client_cpu = elapsed.count() > 0 ? (thread_cpu_time() - cpu_before_) / elapsed : 0;
    }

    // After `run`: ends the connections, and notes which servers send more than they were asked.
    void end_connections() {
        try {
            for (auto& each : clients_) {
                if (each->connection.is_open()) {
                    spawn(end_connection(*each));
                }
            }
            run_to_end();
        } catch (...) {
            all_.keep(std::current_exception());
        }
    }

    measurement& result() noexcept { return result_; }
    steady::time_point last_reply() const noexcept { return last_reply_; }
    steady::time_point ended() const noexcept { return ended_; }

private:
    struct due_reply {
        steady::time_point since;  // the send, or when the send was due
        bool counts;
    };

    struct load_client {
        load_client(worker& owner, std::size_t number)
            : connection(
                  owner.io_,
                  owner.timeouts_,
                  owner.all_.server.timeout,
                  owner.all_.test.work.spoken,
                  reply_bytes_max(owner.all_.test.work)),
              requests(owner.all_.plan, number),
              chance(owner.all_.test.work.seed, ~std::uint64_t{number}),
              pause(owner.io_) {}

        bench::connection connection;
        request_stream requests;
        random_numbers chance;      // of the open loop's distances
        std::deque<due_reply> due;  // of the open loop
        steady_timer pause;
        std::uint64_t measured = 0;  // requests
        bool sending = false;
        bool sent_all = false;
    };

    void spawn(task<> work) {
        ++tasks_;
        butterdb::spawn(std::move(work), [this](const std::exception_ptr& why) {
            all_.keep(why);
            if (why) {
                close_all();
            }
            if (--tasks_ == 0) {
                tick_timer_.cancel();
                timeouts_.stop();
            }
        });
    }

    // Ends every coroutine of this thread soon: nothing more is sent or waited for.
    void close_all() {
        for (auto& each : clients_) {
            each->connection.close();
            each->pause.cancel();
        }
    }

    void run_to_end() {
        while (all_.test.poll && !io_.stopped()) {
            io_.poll();
        }
        io_.run();
        io_.restart();
    }

    bool wait_for_begin() {
        std::unique_lock lock(all_.mutex);
        ++all_.connected;
        all_.changed.notify_all();
        all_.changed.wait(lock, [&] { return all_.may_begin; });
        return !all_.failure;
    }

    task<> connect(load_client& who) {
        const auto ec = co_await who.connection.connect(all_.access);
        if (ec) {
            throw std::runtime_error(
                "cannot connect to " + name_of(all_.server.where) + ": " +
                who.connection.describe(ec));
        }
    }

    // The closed loop.
    task<> drive(load_client& who) {
        while (wants_more(who)) {
            if (!who.connection.input().empty()) {
                note_surplus();
                co_return;
            }
            auto batch = std::uint64_t{all_.test.pipeline};
            const auto now = steady::now();
            const bool counts = now >= all_.start;
            if (counts && all_.test.duration == all_.test.duration.zero()) {
                batch = std::min(batch, all_.test.operations - who.measured);
            }
            std::uint64_t due = 0;
            for (std::uint64_t i = 0; i < batch; ++i) {
                due += who.requests.append_next(who.connection.requests());
            }
            who.measured += counts ? batch : 0;
            const due_reply sent{now, counts};
            const auto ec = co_await exchange(who, due, sent);
            if (ec) {
                if (!all_.stop) {
                    note_lost(who, ec);
                }
                co_return;
            }
        }
    }

    bool wants_more(const load_client& who) const {
        if (all_.stop.load(std::memory_order_relaxed)) {
            return false;
        }
        if (all_.test.duration == all_.test.duration.zero()) {
            return who.measured < all_.test.operations;
        }
        return steady::now() < all_.end();
    }

    // Sends what is queued and takes the replies in; each latency counts from the common send. A
    // batch that may not fit into the kernel is sent while its first replies come in: a server that
    // waits for its replies to be read takes no more requests.
    task<asio::error_code> exchange(load_client& who, std::uint64_t due, due_reply sent) {
        who.connection.expect_reply();
        asio::error_code ec;
        if (who.connection.requests().size() > send_first_bytes_max) {
            who.sending = true;
            butterdb::spawn(send(who), [&who](const std::exception_ptr&) { who.sending = false; });
        } else {
            ec = co_await who.connection.send();
        }
        while (!ec && due > 0) {
            ec = co_await who.connection.receive();
            const auto now = steady::now();
            auto got = who.connection.first_reply();
            for (; got && due > 0; --due) {
                count(who, *got, sent, now);
                who.connection.drop(*got);
                got = due > 1 ? who.connection.first_reply() : std::nullopt;
            }
            who.connection.expect_reply();
        }
        if (ec) {
            who.connection.close();
        }
        while (who.sending) {  // all is sent, but its coroutine has not heard of it yet
            co_await others_turn(io_.get_executor());
        }
        co_return ec;
    }

    // A failure is seen by the receiving side, too.
    static task<> send(load_client& who) { co_await who.connection.send(); }

    // The open loop: sends when it is time, whatever has become of the requests before, and lasts
    // until the end of the test, however early the last request is due.
    task<> pace(load_client& who) {
        spawn(collect(who));
        const auto warm_up = std::chrono::duration_cast<steady::duration>(all_.test.warm_up);
        auto next = all_.start - warm_up + first_distance(who);
        auto able_since = next;  // to send
        asio::error_code ec;
        while (!ec && is_under_way(who, next)) {
            const auto wake_at = std::min(next, all_.end());
            if (steady::now() < wake_at) {
                who.pause.expires_at(wake_at);
                asio::error_code ignored;
                co_await who.pause.async_wait(into(ignored));
            } else {
                co_await others_turn(io_.get_executor());  // to send may take no wait
            }
            const bool nothing_was_due = who.due.empty();
            append_due(who, next, able_since);
            if (nothing_was_due && !who.due.empty()) {
                who.connection.expect_reply();
            }
            ec = co_await who.connection.send();
            able_since = steady::now();
        }
        who.sent_all = true;
        if (all_.stop) {
            who.connection.close();
        } else if (who.due.empty()) {
            who.connection.stop_receiving();
        }
    }

    bool is_under_way(const load_client& who, steady::time_point next) const {
        return who.connection.is_open() && !all_.stop.load(std::memory_order_relaxed) &&
               std::min(next, steady::now()) < all_.end();
    }

    // Appends the requests that are due by now, from `next` on.
    void append_due(load_client& who, steady::time_point& next, steady::time_point able_since) {
        const auto now = steady::now();
        std::uint64_t added = 0;
        for (; next <= now && next < all_.end() && added <= behind_max; next += distance(who)) {
            const bool counts = next >= all_.start;
            const auto replies = who.requests.append_next(who.connection.requests());
            who.due.insert(who.due.end(), replies, due_reply{next, counts});
            added += replies;
            if (counts) {
                result_.due += replies;
                result_.send_delay.add(now - std::max(next, able_since));
            }
        }
        if (all_.behind.fetch_add(added, std::memory_order_relaxed) + added > behind_max) {
            give_up("the server was more than a million requests behind");
        }
    }

    task<> collect(load_client& who) {
        asio::error_code ec;
        while (!ec && !(who.sent_all && who.due.empty())) {
            ec = co_await who.connection.receive();
            const auto now = steady::now();
            std::uint64_t taken = 0;
            while (!who.due.empty()) {
                const auto got = who.connection.first_reply();
                if (!got) {
                    break;
                }
                count(who, *got, who.due.front(), now);
                who.due.pop_front();
                who.connection.drop(*got);
                ++taken;
            }
            all_.behind.fetch_sub(taken, std::memory_order_relaxed);
            if (!who.due.empty()) {
                who.connection.expect_reply();
                continue;
            }
            who.connection.rest();
            if (!who.connection.input().empty()) {
                note_surplus();
                break;
            }
        }
        if (who.sent_all && who.due.empty()) {
            co_return;
        }
        if (ec && !all_.stop) {
            note_lost(who, ec);
        }
        all_.behind.fetch_sub(who.due.size(), std::memory_order_relaxed);
        who.connection.close();
        who.pause.cancel();
    }

    task<> end_connection(load_client& who) {
        co_await who.connection.finish(close_patience);
        if (!who.connection.input().empty()) {
            note_surplus();
        }
    }

    // Even arrivals of several clients do not coincide.
    steady::duration first_distance(load_client& who) const {
        const auto whole = distance(who);
        return all_.test.spaced == arrivals::even ? std::chrono::duration_cast<steady::duration>(
                                                        seconds(whole) * who.chance.share())
                                                  : whole;
    }

    // To the next request of one client.
    steady::duration distance(load_client& who) const {
        const seconds mean(static_cast<double>(all_.test.clients) / all_.test.rate);
        const auto drawn =
            all_.test.spaced == arrivals::even ? mean : mean * -std::log(1 - who.chance.share());
        return std::max(std::chrono::duration_cast<steady::duration>(drawn), steady::duration(1));
    }

    void count(load_client& who, const reply& got, due_reply request, steady::time_point now) {
        const auto what = who.requests.judge(got);
        if (!request.counts) {
            return;
        }
        last_reply_ = now;
        ++result_.operations;
        now_.latency.add(now - request.since);
        result_.gets += who.requests.judged_get() ? 1U : 0U;
        switch (what) {
            case outcome::hit:
                ++result_.hits;
                break;
            case outcome::right:
            case outcome::miss:
                break;
            case outcome::failure:
                note_refusal(got.text);
                break;
            case outcome::wrong:
                note_error(error_kinds::wrong_value);
                break;
            case outcome::lost:
                note_error(error_kinds::lost_write);
                break;
        }
    }

    // Counts a refusal by its code, which is OOM in `ERROR OOM ...` of the text dialect and in
    // `OOM ...` of RESP. Codes that no server has, and those beyond the bound, count together.
    void note_refusal(std::string_view refusal) {
        constexpr std::string_view in_text = "ERROR ";
        if (refusal.starts_with(in_text)) {
            refusal.remove_prefix(in_text.size());
        }
        const auto code = refusal.substr(0, refusal.find(' '));
        const auto kind = "refused:" + std::string(code.substr(0, code_bytes_max));
        const bool is_code =
            code.size() <= code_bytes_max &&
            code.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == code.npos;
        const bool has_room =
            result_.errors.size() < error_kinds_max || result_.errors.contains(kind);
        note_error(is_code && has_room ? kind : "refused:other");
    }

    void note_error(const std::string& kind) {
        ++result_.errors[kind];
        ++now_.errors;
    }

    // Which reply belongs to which request is not known any more.
    void note_surplus() {
        note_error(error_kinds::surplus);
        give_up("the server sent a reply that no request asked for");
    }

    void give_up(const char* why) {
        if (result_.gave_up.empty()) {
            result_.gave_up = why;
        }
        all_.stop = true;
    }

    void note_lost(load_client& who, const asio::error_code& ec) {
        const bool late = ec == asio::error::operation_aborted || ec == asio::error::bad_descriptor;
        note_error(late ? error_kinds::timeout : error_kinds::connection);
        if (result_.connection_failure.empty()) {
            result_.connection_failure = who.connection.describe(ec);
        }
    }

    // Ends an interval when it is time.
    task<> tick() {
        auto next = all_.start;
        while (tasks_ > 0) {
            tick_timer_.expires_at(next);
            asio::error_code ec;
            co_await tick_timer_.async_wait(into(ec));
            if (ec) {
                break;
            }
            if (all_.stop) {  // by another thread, perhaps
                close_all();
                break;
            }
            if (next == all_.start) {
                cpu_before_ = thread_cpu_time();
            } else {
                end_interval();
            }
            next += all_.interval;
        }
    }

    void end_interval() {
        result_.latency.add(now_.latency);
        all_.history.add(number_, now_);
        now_.latency.clear();
        now_.errors = 0;
    }

    shared_state& all_;
    std::size_t number_;
    asio::io_context io_{1};
    system_time time_{io_};
    sweeper timeouts_{time_};
    steady_timer tick_timer_{io_};
    std::vector<std::unique_ptr<load_client>> clients_;
    std::size_t tasks_ = 0;
    measurement result_;
    interval_result now_;
    seconds cpu_before_{0};
    steady::time_point last_reply_{};
    steady::time_point ended_{};  // all that was to be sent and awaited
};

std::optional<process_usage> usage(const target& server) {
    return server.process_id ? usage_of(*server.process_id) : std::nullopt;
}

void add(measurement& sum, const measurement& part) {
    sum.operations += part.operations;
    sum.due += part.due;
    sum.gets += part.gets;
    sum.hits += part.hits;
    for (const auto& [kind, count] : part.errors) {
        sum.errors[kind] += count;
    }
    if (sum.connection_failure.empty()) {
        sum.connection_failure = part.connection_failure;
    }
    if (sum.gave_up.empty()) {
        sum.gave_up = part.gave_up;
    }
    sum.latency.add(part.latency);
    sum.send_delay.add(part.send_delay);
    sum.client_cpu = std::max(sum.client_cpu, part.client_cpu);
}

// Waits until every thread has connected, then lets them begin. Gives what the server had used when
// the measurement began.
std::optional<process_usage> begin(shared_state& all, std::size_t threads) {
    std::unique_lock lock(all.mutex);
    all.changed.wait(lock, [&] { return all.connected == threads; });
    const auto before = usage(all.server);  // later, the threads may leave no processor for it
    all.start = steady::now() + std::chrono::duration_cast<steady::duration>(all.test.warm_up);
    all.may_begin = true;
    all.changed.notify_all();
    const bool failed = static_cast<bool>(all.failure);
    lock.unlock();
    if (failed || all.test.warm_up == all.test.warm_up.zero()) {
        return before;
    }
    std::this_thread::sleep_until(all.start);
    return usage(all.server);
}

// Returns what all threads measured until the test's duration was over, or without one until the
// last reply.
measurement sum_of(shared_state& all, const std::vector<std::unique_ptr<worker>>& workers) {
    measurement sum;
    auto end = all.start;
    for (const auto& each : workers) {
        add(sum, each->result());
        end = std::max({end, each->last_reply(), std::min(each->ended(), all.end())});
    }
    if (sum.has_surplus()) {
        measurement nothing;
        nothing.errors = std::move(sum.errors);
        nothing.gave_up = std::move(sum.gave_up);
        return nothing;
    }
    sum.elapsed = end - all.start;
    sum.timeline = std::move(all.history).moments();
    return sum;
}

}  // namespace

double measurement::throughput() const noexcept {
    return elapsed.count() > 0 ? static_cast<double>(operations) / elapsed.count() : 0;
}

std::uint64_t measurement::errors_in_all() const noexcept {
    return std::accumulate(
        errors.begin(), errors.end(), std::uint64_t{0}, [](auto sum, const auto& each) {
            return sum + each.second;
        });
}

std::optional<double> measurement::cpu_per_operation() const noexcept {
    if (!server || operations == 0) {
        return std::nullopt;
    }
    return server->cpu.count() / static_cast<double>(operations);
}

measurement run_load(const target& server, const load& test, const progress& tell) {
    shared_state all(server, test, tell);
    std::vector<std::unique_ptr<worker>> workers;
    for (std::size_t i = 0; i < test.threads; ++i) {
        workers.push_back(std::make_unique<worker>(all, i));
    }
    std::vector<std::jthread> threads;
    try {
        for (auto& each : workers) {
            threads.emplace_back([&each] { each->run(); });
        }
    } catch (const std::system_error&) {
        all.keep(std::current_exception());
    }
    const auto before = begin(all, threads.size());
    threads.clear();
    const auto after = usage(server);
    for (auto& each : workers) {
        if (!all.stop) {
            each->end_connections();
        }
    }
    if (all.failure) {
        std::rethrow_exception(all.failure);
    }
    auto sum = sum_of(all, workers);
    if (before && after) {
        sum.server = *after - *before;
    }
    return sum;
}

void preload(const target& server, const load& test) {
    auto filling = test;
    filling.clients = std::min<std::uint64_t>(test.work.keys, 8);
    filling.threads = 1;
    filling.operations = (test.work.keys + filling.clients - 1) / filling.clients;
    filling.duration = filling.warm_up = seconds(0);
    filling.pipeline = 64;
    filling.rate = 0;
    filling.work.verify = false;
    filling.work.choice.what = key_choice::shape::sequential;
    request_kind put;
    put.what = request_kind::effect::put;
    filling.work.kinds = {put};
    const auto measured = run_load(server, filling, nullptr);
    if (measured.failed()) {
        const auto why =
            measured.gave_up.empty() ? measured.errors.begin()->first : measured.gave_up;
        throw std::runtime_error("the keys could not be put before the test: " + why);
    }
}

}  // namespace butterdb::bench
