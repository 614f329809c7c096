#pragma once

#include <butterdb/protocol/quoting.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace butterdb {

/// Reads command lines as the server will, so that the client does not send what would end the
/// connection, or change the form of the replies.
class line_check {
public:
    enum class verdict { blank, request, refused };

    /// Checks a line without its LF, for a server that takes lines of `line_bytes_max` bytes.
    verdict check(std::string_view line, std::uint64_t line_bytes_max);

    /// Returns the arguments of the last request, verb first; none when the server will find the
    /// line invalid, which costs nothing but a reply. Valid until the next check.
    const argument_list& arguments() const noexcept { return arguments_; }

    /// Returns the name of the last request's command in upper case, or nothing when there is no
    /// such command.
    std::string_view command() const noexcept { return command_; }

    /// Returns why the last line was refused, and what to write instead.
    const std::string& objection() const noexcept { return objection_; }

private:
    verdict refuse(std::string objection);
    verdict refuse_foreign(std::string_view line);
    bool is_foreign(std::string_view line);

    std::string copy_;  // of the line: its quotes are decoded in place
    argument_list arguments_;
    std::string_view command_;
    std::string objection_;
};

}  // namespace butterdb
