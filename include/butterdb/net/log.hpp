#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

namespace butterdb {

enum class log_level { none, error, warning, info };

/// `error`, `warning`, `info`; `none` lets nothing through.
std::string_view name_of(log_level level) noexcept;

/// Lines on stderr: `2026-11-23T09:00:00.000Z warning text`. One per call; `more` comes right
/// behind the text. Allocates nothing and never waits: a line that stderr cannot take is lost. The
/// next line that it takes is preceded by one with the number of the lost lines.
class logger {
public:
    explicit logger(log_level most) noexcept;
    logger(const logger&) = delete;
    logger& operator=(const logger&) = delete;
    ~logger();

    /// The least important level that is written.
    log_level most() const noexcept { return most_; }
    void set_most(log_level most) noexcept { most_ = most; }

    void error(std::string_view text, std::string_view more = {}) const {
        write(log_level::error, text, more);
    }
    void warning(std::string_view text, std::string_view more = {}) const {
        write(log_level::warning, text, more);
    }
    void info(std::string_view text, std::string_view more = {}) const {
        write(log_level::info, text, more);
    }

private:
    void write(log_level level, std::string_view text, std::string_view more) const;
    bool report_lost() const noexcept;
    bool write_line(log_level level, std::string_view text, std::string_view more) const noexcept;

    log_level most_;
    int descriptor_;
    mutable std::uint64_t lost_ = 0;     // lines since the last one that was written
    mutable bool is_cut_short_ = false;  // the last line has no end
};

/// Lets a kind of line through at most once in `interval`, so that nobody can flood the log.
class log_throttle {
public:
    explicit log_throttle(std::chrono::steady_clock::duration interval) noexcept
        : interval_(interval) {}

    bool due(std::chrono::steady_clock::time_point now) noexcept {
        if (now < next_) {
            return false;
        }
        next_ = now + interval_;
        return true;
    }

private:
    std::chrono::steady_clock::duration interval_;
    std::chrono::steady_clock::time_point next_ = std::chrono::steady_clock::time_point::min();
};

}  // namespace butterdb
