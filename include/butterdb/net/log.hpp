#pragma once

#include <string_view>

namespace butterdb {

enum class log_level { error, warning, info, debug };

/// Lines on stderr: `2026-11-23T09:00:00.000Z warning text`. One per call.
class logger {
public:
    explicit logger(log_level most) noexcept : most_(most) {}

    void error(std::string_view text) const { write(log_level::error, text); }
    void warning(std::string_view text) const { write(log_level::warning, text); }
    void info(std::string_view text) const { write(log_level::info, text); }
    void debug(std::string_view text) const { write(log_level::debug, text); }

private:
    void write(log_level level, std::string_view text) const;

    log_level most_;
};

}  // namespace butterdb
