#pragma once

#include <butterdb/base/result.hpp>
#include <butterdb/base/time.hpp>
#include <butterdb/protocol/command.hpp>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace butterdb {

/// A request that was understood and is not carried out.
inline error refusal(std::string text) {
    return {error::kind::refused, "ERR", std::move(text)};
}

inline error over_limit(
    std::string_view what, std::uint64_t size, std::uint64_t size_max, const char* flag) {
    return refusal(
        std::string(what) + " of " + std::to_string(size) + " bytes is over the limit of " +
        std::to_string(size_max) + " bytes (" + flag + ")");
}

/// When an entry expires whose deadline was `present`.
inline time_point deadline_of(const expiry& wanted, time_point present, time_point now) noexcept {
    const std::chrono::milliseconds span(wanted.milliseconds);
    switch (wanted.how) {
        case expiry::mode::none:
        case expiry::mode::persist:
            return no_deadline;
        case expiry::mode::keep:
            return present;
        case expiry::mode::in:
            return now + span;
        case expiry::mode::at:
            return std::min(time_point(span), no_deadline - std::chrono::milliseconds(1));
    }
    return no_deadline;
}

}  // namespace butterdb
