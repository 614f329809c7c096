#include <butterdb/net/log.hpp>

#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>

namespace butterdb {

std::string_view name_of(log_level level) noexcept {
    switch (level) {
        case log_level::none:
            return "none";
        case log_level::error:
            return "error";
        case log_level::warning:
            return "warning";
        case log_level::info:
            break;
    }
    return "info";
}

void logger::write(log_level level, std::string_view text, std::string_view more) const {
    if (level > most_) {
        return;
    }
    using std::chrono::system_clock;
    const auto now = system_clock::now();
    const auto seconds = std::chrono::floor<std::chrono::seconds>(now);
    const auto millis = std::chrono::duration_cast<std::chrono::milliseconds>(now - seconds);
    const std::time_t since_epoch = system_clock::to_time_t(seconds);
    std::tm utc{};
    gmtime_r(&since_epoch, &utc);
    std::array<char, 32> stamp{};
    std::strftime(stamp.data(), stamp.size(), "%Y-%m-%dT%H:%M:%S", &utc);
    std::fprintf(
        stderr,
        "%s.%03dZ %s %.*s%.*s\n",
        stamp.data(),
        static_cast<int>(millis.count()),
        name_of(level).data(),
        static_cast<int>(text.size()),
        text.data(),
        static_cast<int>(more.size()),
        more.data());
}

}  // namespace butterdb
