#pragma once

#include "support/kept_memory.hpp"
#include <butterdb/conversation/conversation.hpp>

#include <cstddef>
#include <memory_resource>
#include <string>
#include <string_view>
#include <vector>

namespace butterdb::test {

/// A store, an engine and one conversation, driven by bytes.
struct fixture {
    limits lim;
    store db{memory_of_stores(), {64 * MiB, 1}};
    engine run{db, lim};
    time_point now{};
};

/// Returns a request as an array of RESP.
inline std::string array_of(const std::vector<std::string>& words) {
    std::string request("*");
    request.append(std::to_string(words.size())).append("\r\n");
    for (const auto& each : words) {
        request.append("$").append(std::to_string(each.size())).append("\r\n");
        request.append(each).append("\r\n");
    }
    return request;
}

inline void append(conversation& talk, std::string_view bytes) {
    talk.input().append(bytes);
}

/// Lets a conversation take its turns, of so many requests, until it waits for input or is over;
/// gives its output.
inline std::string take_turns(conversation& talk, time_point now, std::size_t requests_max = 100) {
    std::string replies;
    do {
        talk.receive(now, requests_max);
        replies += talk.output();
        talk.sent(talk.output().size());
    } while (talk.backlog());
    return replies;
}

/// Replies to a script that arrives in the given pieces, in a fresh store. What comes after the end
/// of the conversation is not read, as in the session.
inline std::string replies_to(
    const std::vector<std::string>& pieces,
    const limits& lim = limits(),
    std::size_t requests_max = 100) {
    fixture f;
    f.lim = lim;
    conversation talk(f.run, f.lim);
    std::string replies;
    for (const auto& piece : pieces) {
        if (!talk.open()) {
            break;
        }
        const auto searched = talk.input().size();
        append(talk, piece);
        if (talk.is_ready(searched)) {  // as the session does
            replies += take_turns(talk, f.now, requests_max);
        }
    }
    return replies;
}

inline std::string replies_to(const std::string& script) {
    return replies_to(std::vector<std::string>{script});
}

}  // namespace butterdb::test
