#include "reply_text.hpp"

#include <butterdb/base/text.hpp>
#include <butterdb/protocol/reply_reader.hpp>

#include <algorithm>

namespace butterdb {

std::optional<std::string_view> reply_text::of(std::string_view line) {
    const bool is_failure = reply_reader::is_failure(line);
    line.remove_suffix(line.ends_with("\r\n") ? 2 : 1);
    if (form_ == form::quoted) {
        return quoted(line, is_failure);
    }
    if (reply_reader::is_list_head(line)) {
        return std::nullopt;
    }
    const auto bytes = line.starts_with('"') ? decoded(line) : line;
    return form_ == form::raw ? bytes : without_controls(bytes);
}

// A value with escapes is in quotes, so that they can be told from its bytes; an error is not.
std::string_view reply_text::quoted(std::string_view line, bool is_failure) {
    if (is_terminal_safe(line)) {
        return line;
    }
    if (is_failure) {
        text_ = escape_for_terminal(line);
        return text_;
    }
    flat_buffer notation;
    append_quoted(notation, line.starts_with('"') ? decoded(line) : line);
    text_ = escape_for_terminal(notation.view());
    return text_;
}

std::string_view reply_text::decoded(std::string_view line) {
    copy_ = line;
    if (split_line(copy_, arguments_, 1) != line_fault::none || arguments_.size() != 1) {
        throw reply_error();
    }
    return arguments_.front();
}

std::string_view reply_text::without_controls(std::string_view text) {
    text_.clear();
    while (!text.empty()) {
        const auto kept = std::min(text.find_first_of("\n\t"), text.size());
        text_.append(escape_for_terminal(text.substr(0, kept)));
        text.remove_prefix(kept);
        if (!text.empty()) {
            text_ += text.front();
            text.remove_prefix(1);
        }
    }
    return text_;
}

}  // namespace butterdb
