#include "machine.hpp"
#include "options.hpp"
#include "page_resource.hpp"
#include <butterdb/engine/engine.hpp>
#include <butterdb/net/asio.hpp>
#include <butterdb/net/listener.hpp>
#include <butterdb/net/log.hpp>
#include <butterdb/net/platform.hpp>
#include <butterdb/net/run_loop.hpp>
#include <butterdb/net/server.hpp>
#include <butterdb/net/time_source.hpp>
#include <butterdb/net/tls.hpp>
#include <butterdb/store/store.hpp>

#include <asio/signal_set.hpp>

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <utility>

namespace {

using namespace butterdb;

// Descriptors that are no client's: standard streams, log, listeners, epoll, timer, signals; and
// those of connections that are administrative, or being refused, or accepted in one turn.
constexpr std::size_t descriptors_kept =
    28 + limits{}.administrators_max + limits{}.farewells_max + limits{}.accepts_max;

void fit_clients_to_descriptors(limits& bounds, const logger& log) {
    const auto descriptors = raise_descriptor_limit();
    const auto room = descriptors > descriptors_kept ? descriptors - descriptors_kept : 1;
    bounds.clients_possible = room;
    if (bounds.clients_max > room) {
        log.warning(
            "at most " + std::to_string(room) + " clients instead of " +
            std::to_string(bounds.clients_max) + ": the limit of open files is " +
            std::to_string(descriptors) + " (ulimit -n)");
        bounds.clients_max = room;
    }
}

/// Does what signals ask for: SIGHUP renews the certificates, the first SIGTERM or SIGINT drains,
/// the second ends the process at once.
class signal_watch {
public:
    /// All outlive it.
    signal_watch(asio::io_context& io, listener& front, server& serving, const logger& log)
        : signals_(io, SIGINT, SIGTERM, SIGHUP), front_(front), serving_(serving), log_(log) {
        wait();
    }

private:
    void wait() {
        signals_.async_wait([this](const asio::error_code& ec, int which) {
            if (ec) {
                return;
            }
            which == SIGHUP ? renew() : stop();
            if (!over_) {
                wait();
            }
        });
    }

    void stop() {
        if (std::exchange(stopping_, true)) {
            std::_Exit(EXIT_FAILURE);
        }
        log_.info("stopping: answering what has been received");
        front_.close();
        serving_.drain([this] {
            over_ = true;  // one more may be on its way to its handler, past cancelling
            signals_.cancel();
        });
    }

    // Certificates are renewed more often than a server that keeps all in memory may end.
    void renew() {
        if (stopping_) {
            return;
        }
        try {
            log_.info(
                front_.renew_tls() ? "read the certificates again" : "SIGHUP: no TLS to renew");
        } catch (const tls_error& why) {
            log_.error("the old certificates stay: ", why.what());
        }
    }

    asio::signal_set signals_;
    listener& front_;
    server& serving_;
    const logger& log_;
    bool stopping_ = false;
    bool over_ = false;
};

word_setting log_level_setting(logger& log) {
    return {
        "log-level",
        "loglevel",
        {"error", "warning", "info"},
        [&log] { return std::string(name_of(log.most())); },
        [&log](std::string_view word) {
            for (const auto each : {log_level::error, log_level::warning, log_level::info}) {
                if (word == name_of(each)) {
                    log.set_most(each);
                }
            }
        }};
}

process_facts describe_process(const listener& front, time_point now) {
    return {::getpid(), front.tcp_port(), now, resident_bytes};
}

void run(const options& asked) {
    logger log(asked.log);
    auto bounds = asked.bounds;
    for (const auto& warning : asked.warnings) {
        log.warning(warning);
    }
    fit_clients_to_descriptors(bounds, log);

    // Never destroyed: the system takes all memory back at once, a store entry by entry.
    static auto& pages = *new page_resource;
    static auto& entries = *new store(pages, {bounds.memory_bytes_max, random_seed(), asked.evict});
    engine db(entries, bounds);
    if (asked.admits) {
        db.admits = [secret = *asked.admits](std::string_view said) { return secret.is(said); };
    }
    asio::io_context io(ASIO_CONCURRENCY_HINT_UNSAFE);
    system_time time(io);
    listener front(io, asked.listen, bounds, log);
    server serving(io, db, bounds, time, log);
    const signal_watch signals(io, front, serving, log);
    db.facts = describe_process(front, time.wall());
    db.add_setting(log_level_setting(log));
    front.start(serving);
    for (const auto& address : front.addresses()) {
        std::printf("listening on %s\n", address.c_str());
    }
    std::fflush(stdout);
    run_loop(io, bounds, time).run();
    log.info("stopped");
}

}  // namespace

int main(int argc, char** argv) {
    reserve_standard_streams();
    std::signal(SIGPIPE, SIG_IGN);
    const bool counts_tls = count_tls_memory();  // first: reading a password uses OpenSSL
    try {
        auto asked = read_options(argc, argv);
        if (!counts_tls) {
            asked.warnings.emplace_back(
                "the memory of TLS cannot be counted: --max-client-memory does not limit it");
        }
        run(asked);
        return EXIT_SUCCESS;
    } catch (const early_exit& exit) {
        std::fprintf(
            exit.status == 0 ? stdout : stderr,
            exit.status == 0 ? "%s" : "butterdb: %s\n",
            exit.text.c_str());
        return exit.status;
    } catch (const std::exception& why) {
        std::fprintf(stderr, "butterdb: %s\n", why.what());
        return EXIT_FAILURE;
    }
}
