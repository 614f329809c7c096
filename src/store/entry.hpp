#pragma once

#include <butterdb/base/assert.hpp>
#include <butterdb/base/limits.hpp>
#include <butterdb/base/time.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace butterdb {

/// An entry is one block:
///
///     | key size, flags | value size | deadline 8 B | slack size 4 B | key | value | slack |
///       varint            varint       if flagged     if flagged
///
/// A varint has 7 bits per byte, low ones first, 0x80 on all bytes but the last; the first one
/// holds the key size times 4, plus 1 with a deadline, plus 2 with slack. So a short key and value
/// without a deadline cost 2 bytes. Slack is room behind the value that a smaller value left: an
/// entry can shrink where it is when there is no memory for a smaller block. The field of the
/// deadline may hold no_deadline: that of a large value, which need not be copied then to be given
/// one, and where one has been taken away.
struct entry_view {
    std::string_view key;
    std::string_view value;
    time_point deadline;
    std::size_t bytes;  ///< of the block, as it was allocated
};

/// A larger value has a field for a deadline from the start.
inline constexpr std::size_t value_bytes_without_field_max = 16 * KiB;

/// What an entry is made of.
struct entry_parts {
    std::string_view key;
    std::string_view value;
    time_point deadline;

    bool has_deadline_field() const noexcept {
        return deadline != no_deadline || value.size() > value_bytes_without_field_max;
    }

    static constexpr std::size_t varint_bytes(std::uint64_t number) noexcept {
        std::size_t bytes = 1;
        for (; number >= 0x80; number >>= 7) {
            ++bytes;
        }
        return bytes;
    }

    std::size_t bytes() const noexcept {
        return varint_bytes(key.size() << 2) + varint_bytes(value.size()) +
               (has_deadline_field() ? sizeof(std::int64_t) : 0) + key.size() + value.size();
    }
};

/// So that the slack of an entry, up to its block, has 32 bits.
inline constexpr std::size_t entry_value_bytes_max = 0x7fff'ffff;

inline constexpr std::size_t slack_field_bytes = sizeof(std::uint32_t);

inline std::uint64_t read_varint(const char*& at) noexcept {
    auto byte = static_cast<unsigned char>(*at++);
    if (byte < 0x80) [[likely]] {
        return byte;
    }
    std::uint64_t number = byte & 0x7fU;
    for (unsigned shift = 7; byte >= 0x80; shift += 7) {
        byte = static_cast<unsigned char>(*at++);
        number |= std::uint64_t{byte & 0x7fU} << shift;
    }
    return number;
}

inline char* write_varint(char* to, std::uint64_t number) noexcept {
    for (; number >= 0x80; number >>= 7) {
        *to++ = static_cast<char>(number | 0x80);
    }
    *to++ = static_cast<char>(number);
    return to;
}

// Part of every look-up: a call costs 18 of a GET's 1,180 instructions.
[[gnu::always_inline]] inline entry_view read_entry(const char* block) noexcept {
    const char* at = block;
    const auto key_field = read_varint(at);
    const auto value_size = static_cast<std::size_t>(read_varint(at));
    auto deadline = no_deadline;
    if ((key_field & 1) != 0) {
        std::int64_t since_epoch = 0;
        std::memcpy(&since_epoch, at, sizeof since_epoch);
        at += sizeof since_epoch;
        deadline = time_point(std::chrono::milliseconds(since_epoch));
    }
    std::uint32_t slack = 0;
    if ((key_field & 2) != 0) {
        std::memcpy(&slack, at, sizeof slack);
        at += sizeof slack;
    }
    const auto key_size = static_cast<std::size_t>(key_field >> 2);
    const auto header = static_cast<std::size_t>(at - block);
    return {
        {at, key_size},
        {at + key_size, value_size},
        deadline,
        header + key_size + value_size + slack};
}

inline char* write_deadline(char* to, time_point deadline) noexcept {
    const std::int64_t since_epoch = deadline.time_since_epoch().count();
    std::memcpy(to, &since_epoch, sizeof since_epoch);
    return to + sizeof since_epoch;
}

/// Gives an entry another deadline, or none, in the field that it has for it. False: it has none.
inline bool overwrite_deadline(char* block, time_point deadline) noexcept {
    const char* at = block;
    const auto key_field = read_varint(at);
    read_varint(at);
    const bool has_field = (key_field & 1) != 0;
    if (has_field) {
        write_deadline(block + (at - block), deadline);
    }
    return has_field;
}

/// Writes an entry of `bytes` bytes, parts.bytes() or at least slack_field_bytes more. Key and
/// value may lie in the block itself if they are those of its entry, and move to the back or not at
/// all.
inline void write_entry(char* block, const entry_parts& parts, std::size_t bytes) noexcept {
    const bool has_field = parts.has_deadline_field();
    const auto needed = parts.bytes();
    const bool has_slack = bytes != needed;
    BUTTERDB_ASSERT(!has_slack || bytes >= needed + slack_field_bytes);
    const auto header =
        needed - parts.key.size() - parts.value.size() + (has_slack ? slack_field_bytes : 0);
    if (!parts.value.empty()) {
        std::memmove(block + header + parts.key.size(), parts.value.data(), parts.value.size());
    }
    if (!parts.key.empty()) {
        std::memmove(block + header, parts.key.data(), parts.key.size());
    }
    const auto flags = (has_field ? 1U : 0U) | (has_slack ? 2U : 0U);
    char* to = write_varint(block, std::uint64_t{parts.key.size()} << 2 | flags);
    to = write_varint(to, parts.value.size());
    if (has_field) {
        to = write_deadline(to, parts.deadline);
    }
    if (has_slack) {
        BUTTERDB_ASSERT(bytes - needed - slack_field_bytes <= 0xffff'ffff);
        const auto slack = static_cast<std::uint32_t>(bytes - needed - slack_field_bytes);
        std::memcpy(to, &slack, sizeof slack);
    }
}

}  // namespace butterdb
