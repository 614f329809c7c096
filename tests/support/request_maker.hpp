#pragma once

#include "support/choices.hpp"
#include "support/reference.hpp"
#include <butterdb/base/limits.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace butterdb::test {

/// A request as it goes over the wire, and what is to become of it.
struct sent_request {
    enum class fate {
        answered,   ///< as the reference says
        empty,      ///< no reply
        malformed,  ///< one error line that begins with `reason`; the connection goes on
        broken,     ///< the same, and the connection ends
        foreign,    ///< the connection ends without a word
    };

    std::string bytes;
    words request;
    fate becomes = fate::answered;
    bool as_line = true;
    std::string reason{};
};

/// What a client may be like.
struct request_style {
    unsigned keys = 8;  ///< different ones
    bool lines = true;  ///< and RESP; at least one of them
    bool resp = true;
    bool transactions = true;
    bool waits = true;  ///< WAITKEY
    bool deadlines = true;
    bool partial_writes = true;  ///< MSET: what it has stored when memory fails is unknown
    bool large_values = false;
    bool over_limits = false;  ///< now and then
    bool nonsense = false;     ///< now and then, what breaks the framing
    bool password = false;     ///< say it, and wrong ones
    std::string_view secret = "secret";
};

/// Makes up requests, as choices decide, and writes them in one of the ways in which they can be
/// written: lines with and without quotes, arrays of RESP.
class request_maker {
public:
    /// All outlive it.
    request_maker(choices& choose, const limits& lim, const request_style& style)
        : choose_(choose), limits_(lim), style_(style) {}

    sent_request next();
    /// The last request of a client: QUIT or EXIT.
    sent_request leave();
    /// AUTH with this password.
    sent_request say(std::string_view password);

private:
    words make_words();
    words make_write();
    words make_read();
    words make_together();
    std::string key();
    std::string value();
    std::string milliseconds();
    sent_request write(words request);
    std::string too_long(const words& request) const;
    sent_request over_limit();
    sent_request nonsense();
    std::string line_of(const words& request);
    std::string line_word(const std::string& word);

    choices& choose_;
    const limits& limits_;
    const request_style& style_;
};

/// `*2 $3 GET $1 a`, each ended by CR LF.
std::string array_of(const words& request);

}  // namespace butterdb::test
