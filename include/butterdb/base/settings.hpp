#pragma once

#include <butterdb/base/limits.hpp>
#include <butterdb/base/result.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace butterdb {

/// One row of the table of settings: a limit that can be chosen, under one name on the command line
/// (`--max-value`), in the environment (`BUTTERDB_MAX_VALUE`), in the file and in CONFIG.
struct setting {
    enum class unit { count, bytes, seconds, microseconds };
    enum class change { live, at_start };

    std::string_view name;
    std::string_view redis_name;  ///< what tools for Redis call it in CONFIG; empty: nothing
    unit in;
    std::uint64_t least;
    std::uint64_t most;
    change when;  ///< live: CONFIG SET changes it while the server runs
    std::uint64_t (*get)(const limits&);
    void (*set)(limits&, std::uint64_t);
    std::string_view summary;
    bool or_zero = false;  ///< 0 is allowed too, below `least`: its meaning is in the summary

    constexpr bool allows(std::uint64_t number) const noexcept {
        return (number >= least && number <= most) || (number == 0 && or_zero);
    }

    /// The value in the form that `read` takes: `64MiB` for bytes, else a number.
    std::string show(const limits& from) const;

    /// Reads a value: a whole number, for bytes with a unit of 1024 (`64MiB`, `64mb`, `64m`). The
    /// error says what is allowed.
    result<std::uint64_t> read(std::string_view text) const;
};

/// All of them, in the order of the documents.
std::span<const setting> settings() noexcept;

/// 67108864 as `64MiB`: in the largest unit that leaves no rest.
std::string size_text(std::uint64_t bytes);

}  // namespace butterdb
