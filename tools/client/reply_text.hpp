#pragma once

#include <butterdb/protocol/quoting.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace butterdb {

/// Turns the lines of replies into the text that the client prints. Whatever the server
/// sends, all forms but `raw` are terminal-safe (base/text.hpp), apart from the TAB and LF of
/// `raw_on_terminal`.
class reply_text {
public:
    enum class form {
        quoted,           ///< values in the server's notation, in quotes where they need them
        raw,              ///< the bytes of values
        raw_on_terminal,  ///< the same with escapes, but for TAB and LF
    };

    explicit reply_text(form chosen) noexcept : form_(chosen) {}

    /// Returns the text for a line of a reply, without the LF or CR LF that `line` ends in; nothing
    /// for the head of a list, which the raw forms do not print. Valid until the next call, and as
    /// long as `line`. Throws reply_error when a value is to be decoded and cannot.
    std::optional<std::string_view> of(std::string_view line);

private:
    std::string_view quoted(std::string_view line, bool is_failure);
    std::string_view decoded(std::string_view line);
    std::string_view without_controls(std::string_view text);

    form form_;
    std::string copy_;
    std::string text_;
    argument_list arguments_;
};

}  // namespace butterdb
