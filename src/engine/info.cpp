#include "info.hpp"

#include <butterdb/base/text.hpp>
#include <butterdb/base/version.hpp>

#include <algorithm>
#include <chrono>

namespace butterdb {

namespace {

class info_text {
public:
    explicit info_text(std::span<const std::string_view> wanted) : wanted_(wanted) {}

    // Opens a section; false when it was not asked for. `upper_case` is its name for comparing.
    bool section(std::string_view title, std::string_view upper_case) {
        const bool named = std::ranges::any_of(wanted_, [&](std::string_view name) {
            return equals_ignoring_case(name, upper_case) || equals_ignoring_case(name, "ALL") ||
                   equals_ignoring_case(name, "DEFAULT") ||
                   equals_ignoring_case(name, "EVERYTHING");
        });
        if (!wanted_.empty() && !named) {
            return false;
        }
        lines_ += lines_.empty() ? "# " : "\n# ";
        lines_.append(title).append("\n");
        return true;
    }

    void field(std::string_view name, std::string_view value) {
        lines_.append(name).append(":").append(value).append("\n");
    }
    void field(std::string_view name, std::uint64_t value) { field(name, std::to_string(value)); }

    std::string take() { return std::move(lines_); }

private:
    std::span<const std::string_view> wanted_;
    std::string lines_;
};

std::uint64_t seconds_between(time_point begin, time_point end) {
    const auto span = std::chrono::duration_cast<std::chrono::seconds>(end - begin).count();
    return static_cast<std::uint64_t>(std::max<std::chrono::seconds::rep>(span, 0));
}

}  // namespace

std::string describe_server(
    std::span<const std::string_view> sections,
    const engine& db,
    const store& entries,
    const limits& lim,
    time_point now) {
    info_text text(sections);
    if (text.section("Server", "SERVER")) {
        text.field("butterdb_version", version);
        text.field("process_id", static_cast<std::uint64_t>(db.facts.process_id));
        text.field("tcp_port", db.facts.tcp_port);
        text.field("uptime_in_seconds", seconds_between(db.facts.started, now));
    }
    if (text.section("Clients", "CLIENTS")) {
        text.field("connected_clients", db.count.connected_clients);
        text.field("maxclients", lim.clients_max);
    }
    if (text.section("Memory", "MEMORY")) {
        text.field("used_memory", entries.bytes_used());
        text.field("maxmemory", entries.ceiling());
        text.field("maxmemory_policy", entries.evicts() ? "clock" : "noeviction");
    }
    if (text.section("Stats", "STATS")) {
        text.field("total_connections_received", db.count.connections_received);
        text.field("rejected_connections", db.count.connections_rejected);
        text.field("total_commands_processed", db.count.commands_processed);
        text.field("expired_keys", entries.expired());
        text.field("evicted_keys", entries.evicted());
        text.field("keyspace_hits", db.count.keyspace_hits);
        text.field("keyspace_misses", db.count.keyspace_misses);
    }
    return text.take();
}

}  // namespace butterdb
