#include <butterdb/base/number.hpp>
#include <butterdb/base/settings.hpp>
#include <butterdb/base/text.hpp>

#include <array>
#include <chrono>
#include <optional>
#include <type_traits>

namespace butterdb {

namespace {

using enum setting::unit;
using enum setting::change;

template <auto Member>
std::uint64_t get(const limits& from) {
    const auto& value = from.*Member;
    if constexpr (std::is_integral_v<std::remove_cvref_t<decltype(value)>>) {
        return value;
    } else {
        return static_cast<std::uint64_t>(value.count());
    }
}

template <auto Member>
void set(limits& to, std::uint64_t number) {
    using value = std::remove_reference_t<decltype(to.*Member)>;
    if constexpr (std::is_integral_v<value>) {
        to.*Member = number;
    } else {
        to.*Member = value(static_cast<typename value::rep>(number));
    }
}

constexpr std::uint64_t size_most = std::uint64_t{1} << 62;
constexpr std::uint64_t argument_most = 512 * MiB;
constexpr std::uint64_t seconds_most = 1'000'000'000;

template <auto Member>
constexpr setting row(
    std::string_view name,
    std::string_view redis_name,
    setting::unit in,
    std::uint64_t least,
    std::uint64_t most,
    setting::change when,
    std::string_view summary) {
    return {name, redis_name, in, least, most, when, get<Member>, set<Member>, summary};
}

// A row that takes 0 too.
constexpr setting or_zero(setting row) {
    row.or_zero = true;
    return row;
}

// Whatever is set live, the clients of both dialects can still say AUTH and CONFIG SET, and be told
// what came of it: hence some of the bounds below.
constexpr std::uint64_t argument_least = 1 * KiB;
constexpr std::uint64_t request_least = 64 * KiB;
constexpr std::uint64_t client_memory_least = 1 * MiB;

// A row is two lines.
// clang-format off
constexpr auto table = std::to_array<setting>({
    row<&limits::memory_bytes_max>("max-memory", "maxmemory", bytes, 1 * MiB, size_most, live,
     "Memory for all entries, index included"),
    row<&limits::clients_max>("max-clients", "maxclients", count, 1, 10'000'000, live,
     "Connections at once"),
    row<&limits::handshakes_max>("max-handshakes", "", count, 1, 1'000'000, live,
     "TLS handshakes at once; for one more, that which waits longest for its client is closed"),
    or_zero(row<&limits::client_memory>("max-client-memory", "maxmemory-clients", bytes,
     client_memory_least, size_most, live,
     "Memory of all clients' buffers; 0: a tenth of max-memory, at least twice max-value, 1MiB")),
    row<&limits::key_bytes_max>("max-key", "", bytes, 1, argument_most, live,
     "Longest key"),
    row<&limits::value_bytes_max>("max-value", "proto-max-bulk-len", bytes, argument_least,
     argument_most, live,
     "Longest value"),
    row<&limits::line_bytes_max>("max-line", "", bytes, argument_least, 1 * MiB, live,
     "Longest line"),
    row<&limits::arguments_max>("max-arguments", "", count, 8, 1'048'576, live,
     "Arguments of a request"),
    or_zero(row<&limits::request_bytes>("max-request", "client-query-buffer-limit", bytes,
     request_least, size_most, live,
     "Longest request in RESP; 0: max-key, max-value and 64KiB, 1MiB at least")),
    row<&limits::output_bytes_max>("max-output", "", bytes, 1 * KiB, argument_most, live,
     "Replies buffered for a client before they are sent"),
    or_zero(row<&limits::pending_output>("max-pending-output", "", bytes, 1 * KiB, size_most, live,
     "Unsent replies of a client that is still sending; 0: a quarter of max-client-memory")),
    row<&limits::reply_bytes_max>("max-reply", "", bytes, 64 * KiB, size_most, live,
     "Longest reply"),
    row<&limits::watched_keys_max>("max-watched-keys", "", count, 1, 1'000'000, live,
     "Keys that a client may WATCH"),
    row<&limits::queued_requests_max>("max-queued-requests", "", count, 1, 1'000'000, live,
     "Requests that MULTI keeps for EXEC"),
    row<&limits::request_steps_max>("max-steps", "", count, 10'000, size_most, live,
     "Steps of walking and matching in a request, of about a nanosecond each"),
    row<&limits::request_timeout>("request-timeout", "", seconds, 1, seconds_most, live,
     "Seconds from the first byte of a request to its last"),
    row<&limits::write_timeout>("write-timeout", "", seconds, 1, seconds_most, live,
     "Seconds that a client may leave its replies unread"),
    row<&limits::idle_timeout>("idle-timeout", "timeout", seconds, 0, seconds_most, live,
     "Seconds without a request before a connection is closed; 0: never"),
    row<&limits::drain>("drain-timeout", "shutdown-timeout", seconds, 0, seconds_most, live,
     "Seconds after SIGTERM before the process ends"),
    row<&limits::turn_requests_max>("turn-requests", "", count, 1, 1'000'000, live,
     "Requests of one client before the others have their turn"),
    row<&limits::turn_time_max>("turn-time", "", microseconds, 1, 1'000'000, live,
     "Microseconds of one client before the others have their turn"),
    row<&limits::poll_max>("poll-us", "", microseconds, 0, 1'000, live,
     "Microseconds to look for work before falling asleep, while that pays; 0: never"),
    row<&limits::tcp_keepalive>("tcp-keepalive", "tcp-keepalive", seconds, 0, 32'767, at_start,
     "Seconds of silence before the system probes a client; 0: never"),
    row<&limits::tcp_user_timeout>("tcp-user-timeout", "", seconds, 0, 1'000'000, at_start,
     "Seconds that sent bytes and probes may stay unacknowledged; 0: the system's own"),
    row<&limits::backlog_max>("backlog", "tcp-backlog", count, 1, 65'535, at_start,
     "Connections that wait to be accepted; the system may take fewer"),
});
// clang-format on

constexpr std::array<std::string_view, 5> units{"", "KiB", "MiB", "GiB", "TiB"};

// The power of 1024 that a unit stands for: `m`, `mb` and `MiB` are 2.
std::optional<unsigned> power_of(std::string_view unit) {
    constexpr std::string_view letters = "KMGT";
    if (unit.empty() || equals_ignoring_case(unit, "B")) {
        return 0;
    }
    const auto power = letters.find(to_upper(unit.front()));
    const auto rest = unit.substr(1);
    const bool known = power != letters.npos && (rest.empty() || equals_ignoring_case(rest, "B") ||
                                                 equals_ignoring_case(rest, "IB"));
    return known ? std::optional(static_cast<unsigned>(power) + 1) : std::nullopt;
}

std::optional<std::uint64_t> read_size(std::string_view text) {
    const auto digits = std::min(text.find_first_not_of("0123456789"), text.size());
    const auto behind = std::min(text.find_first_not_of(' ', digits), text.size());
    const bool loose_end = behind == text.size() && behind != digits;
    const auto power = loose_end ? std::nullopt : power_of(text.substr(behind));
    const auto number = parse_whole<std::uint64_t>(text.substr(0, digits));
    if (!number || !power || *number > (size_most >> (10 * *power))) {
        return std::nullopt;
    }
    return *number << (10 * *power);
}

}  // namespace

std::span<const setting> settings() noexcept {
    return table;
}

std::string size_text(std::uint64_t bytes) {
    std::size_t unit = 0;
    while (bytes != 0 && bytes % 1024 == 0 && unit + 1 < units.size()) {
        bytes /= 1024;
        ++unit;
    }
    return std::to_string(bytes).append(units[unit]);
}

std::string setting::show(const limits& from) const {
    return in == bytes ? size_text(get(from)) : std::to_string(get(from));
}

result<std::uint64_t> setting::read(std::string_view text) const {
    const auto number = in == bytes ? read_size(text) : parse_whole<std::uint64_t>(text);
    if (number && allows(*number)) {
        return *number;
    }
    const auto written = [&](std::uint64_t bound) {
        return in == bytes ? size_text(bound) : std::to_string(bound);
    };
    std::string allowed = or_zero ? "0 or " : "";
    allowed.append(in == bytes ? "a size" : "a whole number");
    allowed.append(" from ").append(written(least)).append(" to ").append(written(most));
    return error{
        error::kind::refused,
        "ERR",
        std::string(name) + " is " + allowed + ", not '" + printable(text) + "'"};
}

}  // namespace butterdb
