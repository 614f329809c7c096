#include "load.hpp"

#include "server_process.hpp"

#include <asio/co_spawn.hpp>
#include <asio/post.hpp>

#include <memory>
#include <stdexcept>
#include <system_error>

namespace butterdb::bench {

namespace {

constexpr std::size_t send_first_bytes_max = 32 * KiB;
constexpr auto progress_interval = std::chrono::milliseconds(250);

// One test under way.
class run {
public:
    run(const target& server, const load& test, const progress& tell)
        : target_(server), test_(test), tell_(tell), endpoints_(resolve(server.where)) {
        for (std::size_t number = 0; number < test.clients; ++number) {
            clients_.push_back(std::make_unique<load_client>(*this, number));
        }
    }

    measurement measure() {
        busy_ = clients_.size();
        for (auto& each : clients_) {
            asio::co_spawn(io_, connect(*each), [this](const std::exception_ptr& why) {
                keep(why);
                client_done();
            });
        }
        run_to_end();
        const auto before = usage();
        start_ = steady::now();
        busy_ = clients_.size();
        for (auto& each : clients_) {
            asio::co_spawn(io_, drive(*each), [this](const std::exception_ptr& why) {
                keep(why);
                client_done();
            });
        }
        show_progress();
        run_to_end();
        return sum_up(before);
    }

private:
    struct load_client {
        load_client(run& owner, std::size_t number)
            : connection(owner.io_, owner.timeouts_, owner.target_.timeout),
              stream(owner.test_.work, number) {}

        client connection;
        request_stream stream;
        bool sending = false;
    };

    std::optional<process_usage> usage() const {
        return target_.process_id ? usage_of(*target_.process_id) : std::nullopt;
    }

    void keep(const std::exception_ptr& why) {
        if (why && !failure_) {
            failure_ = why;
        }
    }

    void run_to_end() {
        io_.run();
        io_.restart();
        if (failure_) {
            std::rethrow_exception(failure_);
        }
    }

    awaitable<> connect(load_client& who) {
        const auto ec = co_await who.connection.connect(endpoints_);
        if (ec) {
            throw std::runtime_error(
                "cannot connect to " + name_of(target_.where) + ": " + client::describe(ec));
        }
    }

    awaitable<> drive(load_client& who) {
        std::uint64_t done = 0;
        while (wants_more(done)) {
            auto batch = std::uint64_t{test_.pipeline};
            if (test_.duration == test_.duration.zero()) {
                batch = std::min(batch, test_.operations - done);
            }
            for (std::uint64_t i = 0; i < batch; ++i) {
                result_.gets += who.stream.append_next(who.connection.requests()) == operation::get;
            }
            const auto ec = co_await exchange(who, batch);
            if (ec) {
                note_lost(ec);
                co_return;
            }
            done += batch;
        }
    }

    // Sends what is queued and takes the replies in; each latency counts from the common send. A
    // batch that may not fit into the kernel is sent while its first replies come in: a server that
    // waits for its replies to be read takes no more requests.
    awaitable<asio::error_code> exchange(load_client& who, std::uint64_t due) {
        who.connection.expect_reply();
        const auto sent_at = steady::now();
        asio::error_code ec;
        if (who.connection.requests().size() > send_first_bytes_max) {
            who.sending = true;
            asio::co_spawn(
                io_, send(who), [&who](const std::exception_ptr&) { who.sending = false; });
        } else {
            ec = co_await who.connection.send();
        }
        while (!ec && due > 0) {
            who.connection.expect_reply();
            ec = co_await who.connection.receive();
            const auto latency = steady::now() - sent_at;
            for (auto reply = who.connection.next_reply(); reply;
                 reply = who.connection.next_reply()) {
                --due;
                count(who.stream.judge(*reply), latency);
                if (due == 0) {
                    break;
                }
            }
        }
        if (ec) {
            who.connection.close();
        }
        while (who.sending) {  // all is sent, but its coroutine has not heard of it yet
            co_await asio::post(use_awaitable);
        }
        co_return ec;
    }

    // A failure is seen by the receiving side, too.
    static awaitable<> send(load_client& who) { co_await who.connection.send(); }

    void count(outcome what, steady::duration latency) {
        ++result_.operations;
        result_.latency.add(latency);
        result_.hits += what == outcome::hit ? 1 : 0;
        result_.wrong += what == outcome::wrong ? 1 : 0;
    }

    void note_lost(const asio::error_code& ec) {
        ++result_.connections_lost;
        if (result_.connection_failure.empty()) {
            result_.connection_failure = client::describe(ec);
        }
    }

    bool wants_more(std::uint64_t done) const {
        if (test_.duration == test_.duration.zero()) {
            return done < test_.operations;
        }
        return steady::now() - start_ < test_.duration;
    }

    void client_done() {
        if (--busy_ == 0) {
            result_.elapsed = steady::now() - start_;
            progress_timer_.cancel();
            timeouts_.stop();
        }
    }

    void show_progress() {
        if (!tell_) {
            return;
        }
        progress_timer_.expires_after(progress_interval);
        progress_timer_.async_wait([this](const asio::error_code& ec) {
            if (!ec) {
                tell_(result_.operations, steady::now() - start_);
                show_progress();
            }
        });
    }

    measurement sum_up(const std::optional<process_usage>& before) {
        const auto after = usage();
        result_.clients = test_.clients;
        if (before && after) {
            result_.cpu_percent = 100 * ((after->cpu - before->cpu) / result_.elapsed);
            result_.resident_bytes = after->resident_bytes;
        }
        return std::move(result_);
    }

    const target& target_;
    const load& test_;
    const progress& tell_;
    asio::io_context io_{1};
    sweeper timeouts_{io_};
    steady_timer progress_timer_{io_};
    std::vector<stream_socket::endpoint_type> endpoints_;
    std::vector<std::unique_ptr<load_client>> clients_;
    measurement result_;
    std::exception_ptr failure_;
    steady::time_point start_;
    std::size_t busy_ = 0;
};

}  // namespace

double measurement::throughput() const noexcept {
    return elapsed.count() > 0 ? static_cast<double>(operations) / elapsed.count() : 0;
}

measurement run_load(const target& server, const load& test, const progress& tell) {
    return run(server, test, tell).measure();
}

}  // namespace butterdb::bench
