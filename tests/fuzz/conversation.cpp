#include "fuzz/targets.hpp"
#include "support/talk.hpp"
#include <butterdb/base/assert.hpp>

#include <string>
#include <vector>

namespace butterdb::test {

void fuzz_conversation(std::string_view bytes) {
    if (bytes.empty()) {
        return;
    }
    const std::size_t step = 1 + static_cast<unsigned char>(bytes.front()) % 37;
    const std::string script(bytes.substr(1));
    std::vector<std::string> pieces;
    for (std::size_t at = 0; at < script.size(); at += step) {
        pieces.push_back(script.substr(at, step));
    }
    // Limits that short inputs meet, for half of them.
    limits lim;
    std::size_t requests_max = 100;
    if (static_cast<unsigned char>(bytes.front()) >= 0x80) {
        lim.value_bytes_max = 40;
        lim.key_bytes_max = 10;
        lim.request_bytes = 140;
        requests_max = 2;
        lim.watched_keys_max = 2;
        lim.name_bytes_max = 4;
        lim.pattern_bytes_max = 8;
        lim.reply_bytes_max = 400;
    }
    const auto whole = replies_to({script}, lim);
    const auto cut = replies_to(pieces, lim, requests_max);
    // INFO and CLIENT LIST tell what buffers take, which does depend on how bytes arrive.
    const bool tells_memory =
        whole.find("mem_clients") != whole.npos || whole.find("tot-mem") != whole.npos;
    BUTTERDB_ASSERT(tells_memory || whole == cut);
}

}  // namespace butterdb::test
