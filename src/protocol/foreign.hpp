#pragma once

#include <string_view>

namespace butterdb {

/// Returns whether a line is the request of another protocol (HTTP, RTSP, SIP, SMTP, SSH, PROXY),
/// or a header after one: none of what such a client sends may run. A command is never taken for
/// one, unless it ends in ` HTTP/1.0` or ` HTTP/1.1`.
bool is_foreign(std::string_view line) noexcept;

}  // namespace butterdb
