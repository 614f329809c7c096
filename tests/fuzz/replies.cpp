#include "bench/dialect.hpp"
#include "bench/workload.hpp"
#include "fuzz/targets.hpp"
#include "tools/client/reply_text.hpp"
#include <butterdb/base/assert.hpp>
#include <butterdb/base/text.hpp>
#include <butterdb/protocol/quoting.hpp>
#include <butterdb/protocol/reply_reader.hpp>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace butterdb::test {

namespace {

// Prints a line in all forms of butterdb-client. Those for a terminal are safe there, and the value
// in the notation of the server is the one that is printed raw.
void show(std::string_view line) {
    using enum reply_text::form;
    reply_text bytes(raw);
    reply_text on_terminal(raw_on_terminal);
    reply_text in_quotes(quoted);
    try {
        const auto notation = *in_quotes.of(line);
        BUTTERDB_ASSERT(is_terminal_safe(notation));
        const auto value = bytes.of(line);
        const auto printed = on_terminal.of(line).value_or("");
        for (const char c : printed) {
            BUTTERDB_ASSERT(
                c == '\n' || c == '\t' || (static_cast<unsigned char>(c) >= ' ' && c != 0x7f));
        }
        if (value && notation.starts_with('"')) {
            std::string copy(notation);
            argument_list arguments;
            BUTTERDB_ASSERT(split_line(copy, arguments, 1) == line_fault::none);
            BUTTERDB_ASSERT(arguments.front() == *value);
        }
    } catch (const reply_error&) {
        BUTTERDB_ASSERT(line.starts_with('"'));
    }
}

void show_all(std::string_view reply) {
    while (!reply.empty()) {
        const auto line = reply.substr(0, reply.find('\n') + 1);
        show(line);
        reply.remove_prefix(line.size());
    }
}

// Where the replies end that a client sees of bytes that arrive in pieces of one size, up to what
// breaks the connection: there a 0.
std::vector<std::size_t> replies_in(std::string_view bytes, std::size_t step) {
    reply_reader reader;
    std::vector<std::size_t> ends;
    std::size_t begin = 0;
    for (std::size_t arrived = 0; arrived < bytes.size();) {
        arrived = std::min(arrived + step, bytes.size());
        for (;;) {
            const auto input = bytes.substr(begin, arrived - begin);
            const auto status = reader.look(input);
            if (status == reply_reader::status::incomplete) {
                break;
            }
            if (status == reply_reader::status::broken) {
                ends.push_back(0);
                return ends;
            }
            BUTTERDB_ASSERT(reader.size() > 0 && reader.size() <= input.size());
            begin += reader.size();
            ends.push_back(begin);
            reader.reset();
        }
    }
    return ends;
}

// The load tool's judge takes every reply for what it may be.
void judge(const bench::reply& reply) {
    static const auto plan = [] {
        bench::workload work;
        work.keys = 3;
        work.verify = true;
        return bench::request_plan(work, 1);
    }();
    static bench::request_stream stream(plan, 0);
    static flat_buffer requests;
    requests.consume(requests.size());
    stream.append_next(requests);
    stream.judge(reply);
}

// Where the load tool sees replies end, as above.
std::vector<std::size_t> load_replies_in(
    bench::dialect spoken, std::string_view bytes, std::size_t step) {
    bench::reply_splitter splitter(spoken);
    std::vector<std::size_t> ends;
    std::size_t begin = 0;
    try {
        for (std::size_t arrived = 0; arrived < bytes.size();) {
            arrived = std::min(arrived + step, bytes.size());
            while (begin < arrived) {
                const auto reply = splitter.first(bytes.substr(begin, arrived - begin));
                if (!reply) {
                    break;
                }
                BUTTERDB_ASSERT(reply->bytes > 0 && reply->bytes <= arrived - begin);
                judge(*reply);
                begin += reply->bytes;
                ends.push_back(begin);
            }
        }
    } catch (const reply_error&) {
        ends.push_back(0);
    }
    return ends;
}

}  // namespace

void fuzz_replies(std::string_view bytes) {
    if (bytes.empty()) {
        return;
    }
    const auto step = 1 + static_cast<unsigned char>(bytes.front()) % 37U;
    const auto all = bytes.substr(1);
    const auto whole = replies_in(all, all.size());
    BUTTERDB_ASSERT(replies_in(all, step) == whole);
    for (const auto spoken :
         {bench::dialect::text, bench::dialect::resp, bench::dialect::memcache}) {
        BUTTERDB_ASSERT(
            load_replies_in(spoken, all, step) == load_replies_in(spoken, all, all.size()));
    }
    std::size_t begin = 0;
    for (const auto end : whole) {
        if (end > begin) {
            show_all(all.substr(begin, end - begin));
            begin = end;
        }
    }
}

}  // namespace butterdb::test
