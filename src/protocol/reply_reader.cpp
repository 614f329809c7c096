#include <butterdb/protocol/reply_reader.hpp>

#include <charconv>
#include <system_error>

namespace butterdb {

namespace {

constexpr std::string_view list_word = "LIST ";

// The n of `LIST n`; false when there is no such number.
bool read_count(std::string_view digits, std::uint64_t& count) {
    const auto* const end = digits.data() + digits.size();
    const auto [at, fault] = std::from_chars(digits.data(), end, count);
    return fault == std::errc{} && at == end && count <= reply_reader::lines_max;
}

}  // namespace

reply_reader::status reply_reader::look(std::string_view input) {
    while (lines_due_ > 0) {
        const auto line_feed = input.find('\n', no_end_until_);
        if (line_feed == input.npos) {
            no_end_until_ = input.size();
            return status::incomplete;
        }
        const auto line = input.substr(looked_at_, line_feed - looked_at_);
        --lines_due_;
        if (line.starts_with(list_word)) {
            std::uint64_t count = 0;
            if (!read_count(line.substr(list_word.size()), count)) {
                return status::broken;
            }
            lines_due_ += count;
            if (lines_due_ > lines_max) {
                return status::broken;
            }
        }
        looked_at_ = no_end_until_ = line_feed + 1;
    }
    return status::complete;
}

bool reply_reader::is_refusal(std::string_view reply) noexcept {
    return reply.starts_with('-') && reply.ends_with("\r\n");
}

bool reply_reader::is_failure(std::string_view reply) noexcept {
    return reply.starts_with("INVALID ") || reply.starts_with("ERROR ") || is_refusal(reply);
}

}  // namespace butterdb
