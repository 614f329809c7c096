#include "info.hpp"

#include <butterdb/base/text.hpp>
#include <butterdb/base/version.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>

namespace butterdb {

namespace {

// Programs look at it to know what a server can do.
constexpr std::string_view redis_version = "7.2.0";

constexpr std::uint64_t seconds_per_day = 86'400;

class info_text {
public:
    explicit info_text(std::span<const std::string_view> wanted) : wanted_(wanted) {}

    // Opens a section; false when it was not asked for. `upper_case` is its name for comparing.
    bool section(std::string_view title, std::string_view upper_case, bool by_default = true) {
        const bool named = std::ranges::any_of(wanted_, [&](std::string_view name) {
            return equals_ignoring_case(name, upper_case) || equals_ignoring_case(name, "ALL") ||
                   equals_ignoring_case(name, "EVERYTHING") ||
                   (by_default && equals_ignoring_case(name, "DEFAULT"));
        });
        if (wanted_.empty() ? !by_default : !named) {
            return false;
        }
        lines_ += lines_.empty() ? "# " : "\r\n# ";
        lines_.append(title).append("\r\n");
        return true;
    }

    void field(std::string_view name, std::string_view value) {
        lines_.append(name).append(":").append(value).append("\r\n");
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

std::string for_people(std::uint64_t bytes) {
    constexpr std::array units{"B", "K", "M", "G", "T"};
    auto amount = static_cast<double>(bytes);
    std::size_t unit = 0;
    for (; amount >= 1024 && unit + 1 < units.size(); ++unit) {
        amount /= 1024;
    }
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), unit == 0 ? "%.0f%s" : "%.2f%s", amount, units[unit]);
    return text.data();
}

void describe_process(info_text& text, const engine& db, time_point now) {
    const auto uptime = seconds_between(db.facts.started, now);
    text.field("redis_version", redis_version);
    text.field("butterdb_version", version);
    text.field("redis_mode", "standalone");
    text.field("arch_bits", 8 * sizeof(void*));
    text.field("process_id", static_cast<std::uint64_t>(db.facts.process_id));
    text.field("tcp_port", db.facts.tcp_port);
    text.field("uptime_in_seconds", uptime);
    text.field("uptime_in_days", uptime / seconds_per_day);
}

void describe_memory(info_text& text, const engine& db) {
    const auto& entries = db.entries();
    text.field("used_memory", entries.bytes_used());
    text.field("used_memory_human", for_people(entries.bytes_used()));
    if (db.facts.resident_bytes != nullptr) {
        text.field("used_memory_rss", db.facts.resident_bytes());
    }
    text.field("maxmemory", entries.ceiling());
    text.field("maxmemory_human", for_people(entries.ceiling()));
    text.field("maxmemory_policy", policy_name(entries));
}

void describe_commands(info_text& text, const engine& db) {
    const auto counted = db.count_by_verb();
    for (std::size_t row = 0; row < counted.size(); ++row) {
        const auto& each = counted[row];
        if (each.calls + each.rejected > 0) {
            text.field(
                "cmdstat_" + to_lower(verbs()[row].name),
                "calls=" + std::to_string(each.calls) +
                    ",rejected_calls=" + std::to_string(each.rejected));
        }
    }
}

}  // namespace

std::string_view policy_name(const store& entries) noexcept {
    return entries.evicts() ? "clock" : "noeviction";
}

std::string describe_server(
    std::span<const std::string_view> sections, const engine& db, time_point now) {
    const auto& entries = db.entries();
    info_text text(sections);
    if (text.section("Server", "SERVER")) {
        describe_process(text, db, now);
    }
    if (text.section("Clients", "CLIENTS")) {
        text.field("connected_clients", db.count.connected_clients);
        text.field("administrative_clients", db.count.administrative_clients);
        text.field("maxclients", db.bounds().clients_max);
        text.field("blocked_clients", db.waiting_clients());
        text.field("maxmemory_clients", db.bounds().client_memory_max());
        text.field("mem_clients_normal", db.client_memory().bytes_used());
    }
    if (text.section("Memory", "MEMORY")) {
        describe_memory(text, db);
    }
    if (text.section("Persistence", "PERSISTENCE")) {
        text.field("loading", 0);
    }
    if (text.section("Stats", "STATS")) {
        text.field("total_connections_received", db.count.connections_received);
        text.field("rejected_connections", db.count.connections_rejected);
        text.field("idle_disconnections", db.count.closed_idle);
        text.field("request_timeout_disconnections", db.count.closed_in_request);
        text.field("write_timeout_disconnections", db.count.closed_unread);
        text.field("unauthenticated_disconnections", db.count.closed_unauthenticated);
        text.field("unacknowledged_disconnections", db.count.closed_unacknowledged);
        text.field("foreign_disconnections", db.count.closed_foreign);
        text.field("acl_access_denied_auth", db.count.passwords_failed);
        text.field("tls_handshakes_failed", db.count.handshakes_failed);
        text.field("evicted_clients", db.count.closed_for_memory);
        text.field("total_commands_processed", db.count.commands_processed);
        text.field("total_error_replies", db.count.errors.total());
        text.field("rejected_writes", db.count.rejected_writes());
        text.field("expired_keys", entries.expired());
        text.field("evicted_keys", entries.evicted());
        text.field("keyspace_hits", db.count.keyspace_hits);
        text.field("keyspace_misses", db.count.keyspace_misses);
        text.field("prefetched_keys", entries.prefetched());
    }
    if (text.section("Replication", "REPLICATION")) {
        text.field("role", "master");
        text.field("connected_slaves", 0);
    }
    if (text.section("Commandstats", "COMMANDSTATS", false)) {
        describe_commands(text, db);
    }
    if (text.section("Errorstats", "ERRORSTATS")) {
        for (const auto& [code, number] : db.count.errors.by_code()) {
            text.field("errorstat_" + code, "count=" + std::to_string(number));
        }
    }
    if (text.section("Keyspace", "KEYSPACE") && entries.size() > 0) {
        text.field(
            "db0",
            "keys=" + std::to_string(entries.size()) +
                ",expires=" + std::to_string(entries.expiring()) + ",avg_ttl=0");
    }
    return text.take();
}

}  // namespace butterdb
