#pragma once

#include <chrono>
#include <string_view>

namespace butterdb {

enum class log_level { none, error, warning, info };

/// `error`, `warning`, `info`; `none` lets nothing through.
std::string_view name_of(log_level level) noexcept;

/// Lines on stderr: `2026-11-23T09:00:00.000Z warning text`. One per call; `more` comes right
/// behind the text. Allocates nothing.
class logger {
public:
    explicit logger(log_level most) noexcept : most_(most) {}

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

    log_level most_;
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
