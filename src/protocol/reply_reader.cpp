#include <butterdb/base/number.hpp>
#include <butterdb/protocol/reply_reader.hpp>

namespace butterdb {

namespace {

constexpr std::string_view list_word = "LIST ";

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
        if (is_list_head(line)) {
            const auto count = parse_whole<std::uint64_t>(line.substr(list_word.size()));
            if (!count || *count > lines_max) {
                return status::broken;
            }
            lines_due_ += *count;
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

bool reply_reader::is_failure(std::string_view line) noexcept {
    return line.starts_with("INVALID ") || line.starts_with("ERROR ") || is_refusal(line);
}

bool reply_reader::is_list_head(std::string_view line) noexcept {
    return line.starts_with(list_word);
}

}  // namespace butterdb
