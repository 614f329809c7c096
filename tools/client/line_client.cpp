#include "line_client.hpp"

#include <butterdb/base/limits.hpp>
#include <butterdb/base/number.hpp>
#include <butterdb/protocol/frame.hpp>
#include <butterdb/protocol/verbs.hpp>

#include <asio/posix/stream_descriptor.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <iostream>

namespace butterdb {

namespace {

using input_descriptor = asio::posix::basic_stream_descriptor<executor>;

constexpr std::size_t read_bytes = 64 * KiB;

// Asio makes a descriptor non-blocking; standard input is shared with the shell and its other
// children, who do not expect that.
class blocking_restored {
public:
    explicit blocking_restored(int descriptor)
        : descriptor_(descriptor), flags_(::fcntl(descriptor, F_GETFL)) {}
    blocking_restored(const blocking_restored&) = delete;
    blocking_restored& operator=(const blocking_restored&) = delete;
    ~blocking_restored() { ::fcntl(descriptor_, F_SETFL, flags_); }

private:
    int descriptor_;
    int flags_;
};

}  // namespace

line_client::line_client(const server_address& where, steady::duration timeout, bool raw)
    : raw_(raw), access_(where), server_(io_, timeouts_, timeout) {}

int line_client::run_command(const std::vector<std::string>& words) {
    flat_buffer line;
    for (const auto& word : words) {
        if (!line.empty()) {
            line.append(' ');
        }
        append_argument(line, word);
    }
    return run(ask_once(std::string(line.view())));
}

int line_client::run_pipe() {
    numbered_ = true;
    return run(pipe());
}

int line_client::run_terminal() {
    return run(prompt());
}

int line_client::run(task<> work) {
    spawn(std::move(work), [this](const std::exception_ptr& why) {
        keep(why);
        server_.close();
        if (stop_reading_) {
            stop_reading_();
        }
        timeouts_.stop();
    });
    io_.run();
    if (failure_) {
        std::rethrow_exception(failure_);
    }
    if (std::fflush(stdout) != 0) {
        return EXIT_FAILURE;
    }
    return failed_ ? EXIT_FAILURE : EXIT_SUCCESS;
}

// The first exception is the one that counts.
void line_client::keep(const std::exception_ptr& failure) {
    if (!failure_) {
        failure_ = failure;
    }
}

task<bool> line_client::connect() {
    const auto ec = co_await server_.connect(access_);
    if (ec) {
        complain(
            "cannot connect to " + name_of(access_.where()) + ": " + server_.describe(ec) +
            (ec == asio::error::connection_refused
                 ? "; is the server running? Start it with: butterdb"
                 : ""));
    }
    co_return !ec;
}

// Reads a line as the server will, so that what would end the connection is not sent.
line_client::line_kind line_client::queue(std::string_view line) {
    ++line_number_;
    line_copy_.assign(line).append("\n");
    static const limits defaults;
    frame_reader frames(defaults);
    switch (frames.next(line_copy_, arguments_).what) {
        case frame::kind::empty:
            return line_kind::blank;
        case frame::kind::malformed:
            arguments_.clear();
            break;
        case frame::kind::line:
            break;
        case frame::kind::foreign:
            complain(
                line.find("HTTP/1.") == line.npos
                    ? "not sent: no command begins like this, and it would end the connection"
                    : "not sent: it looks like HTTP, which ends the connection; put quotes around "
                      "HTTP/1.0 and HTTP/1.1");
            return line_kind::refused;
        case frame::kind::broken:
            complain(
                "not sent: " + frames.reason() + " (a line has at most " +
                std::to_string(defaults.line_bytes_max) +
                " bytes; redis-cli -x sends longer values)");
            return line_kind::refused;
        default:
            complain("not sent: a line that begins with '*' is none");
            return line_kind::refused;
    }
    const auto* const verb = arguments_.empty() ? nullptr : find_verb(arguments_[0]);
    const auto name = verb == nullptr ? std::string_view() : verb->name;
    if (name == "HELLO") {
        complain("not sent: replies would no longer be lines, which this client reads");
        return line_kind::refused;
    }
    if (name == "WAITKEY" && arguments_.size() == 3) {
        note_wait(arguments_[2]);
    }
    server_.requests().append(line);
    server_.requests().append('\n');
    const bool leaves = (name == "EXIT" && arguments_.size() == 1) || name == "QUIT";
    if (name != "EXIT" || !leaves) {  // EXIT has no reply
        awaited_.push_back(line_number_);
    }
    return leaves ? line_kind::last_request : line_kind::request;
}

// WAITKEY: the server answers later than usual; with 0, perhaps never.
void line_client::note_wait(std::string_view milliseconds) {
    constexpr std::chrono::milliseconds without_end = std::chrono::hours(24 * 365);
    const auto wait = std::chrono::milliseconds(parse_integer(milliseconds).value_or(1));
    const bool bounded = wait.count() > 0 && wait < without_end;
    wait_ = std::max(wait_, bounded ? wait : without_end);
}

void line_client::expect_reply() {
    server_.expect_reply(wait_);
}

task<> line_client::ask_once(std::string line) {
    const bool connected = co_await connect();
    if (connected) {
        co_await ask(line);
    }
}

// Sends a line and prints its reply; false when the connection is over.
task<bool> line_client::ask(std::string_view line) {
    const auto kind = queue(line);
    if (kind == line_kind::blank || kind == line_kind::refused) {
        co_return true;
    }
    expect_reply();
    auto ec = co_await server_.send();
    ec.clear();  // what the server said before it closed is still to be read
    while (!ec && !awaited_.empty()) {
        ec = co_await server_.receive();
        print_replies();
    }
    wait_ = {};
    server_.rest();
    if (ec) {
        lost(ec);
    }
    co_return !ec && kind == line_kind::request;
}

task<> line_client::prompt() {
    bool connected = co_await connect();
    std::string line;
    while (connected) {
        std::cout << name_of(access_.where()) << "> " << std::flush;
        if (!std::getline(std::cin, line)) {
            std::cout << '\n';
            break;
        }
        failed_ = false;  // a wrong command at the prompt is no failure of the program
        connected = co_await ask(line);
    }
    failed_ = failed_ && !connected;
}

task<> line_client::pipe() {
    const bool connected = co_await connect();
    if (!connected) {
        co_return;
    }
    const blocking_restored restored(STDIN_FILENO);
    spawn(send_lines(::dup(STDIN_FILENO)), [this](const std::exception_ptr& why) {
        all_sent_ = true;
        stop_reading_ = nullptr;
        keep(why);
        if (why || awaited_.empty()) {
            server_.close();
        }
    });
    co_await print_until_done();
}

task<> line_client::send_lines(int descriptor) {
    input_descriptor input(io_, descriptor);
    stop_reading_ = [&] { input.close(); };
    flat_buffer text;
    asio::error_code ec;
    while (!ec && !all_sent_) {
        const auto room = asio::buffer(text.prepare(read_bytes), read_bytes);
        const auto count = co_await input.async_read_some(room, into(ec));
        text.commit(count);
        queue_whole_lines(text, ec == asio::error::eof);
        if (!server_.requests().empty()) {
            expect_reply();
        }
        const auto send_ec = co_await server_.send();
        if (send_ec) {
            co_return;  // the reading side will see it too, and say so
        }
    }
    if (ec && ec != asio::error::eof && ec != asio::error::operation_aborted) {
        complain("cannot read standard input: " + ec.message());
    }
}

// Queues the lines that are complete; at the end of input the last one needs no line feed.
void line_client::queue_whole_lines(flat_buffer& text, bool at_end) {
    while (!all_sent_ && !text.empty()) {
        const auto line_feed = text.view().find('\n');
        const bool whole = line_feed != std::string_view::npos;
        if (in_refused_line_) {  // it was too long; its rest is no line of its own
            in_refused_line_ = !whole;
            text.consume(whole ? line_feed + 1 : text.size());
            continue;
        }
        if (!whole && !at_end && text.size() <= limits{}.line_bytes_max + 1) {
            return;
        }
        const auto kind = queue(text.view().substr(0, line_feed));
        all_sent_ = kind == line_kind::last_request;
        in_refused_line_ = !whole;
        text.consume(whole ? line_feed + 1 : text.size());
    }
    if (all_sent_ && text.view().find_first_not_of(" \t\r\n") != std::string_view::npos) {
        std::fprintf(
            stderr,
            "line %llu ends the connection: what follows it is not sent\n",
            static_cast<unsigned long long>(line_number_));
    }
}

task<> line_client::print_until_done() {
    asio::error_code ec;
    while (!ec && !(all_sent_ && awaited_.empty())) {
        ec = co_await server_.receive();
        print_replies();
        if (awaited_.empty()) {
            wait_ = {};
            server_.rest();
        } else {
            expect_reply();
        }
    }
    if (!(all_sent_ && awaited_.empty())) {
        lost(ec);
    }
}

void line_client::print_replies() {
    for (auto reply = server_.next_reply(); reply; reply = server_.next_reply()) {
        if (awaited_.empty()) {
            throw reply_error();
        }
        print(*reply);
        awaited_.pop_front();
    }
    if (std::fflush(stdout) != 0) {
        throw output_lost();
    }
}

void line_client::print(std::string_view reply) {
    const bool failure = reply_reader::is_failure(reply);
    if (reply.ends_with("\r\n")) {
        reply.remove_suffix(2);
    } else {
        reply.remove_suffix(1);
    }
    if (raw_ && reply.starts_with('"')) {
        line_copy_ = reply;
        split_line(line_copy_, arguments_, 1);
        std::fwrite(arguments_[0].data(), 1, arguments_[0].size(), stdout);
    } else {
        std::fwrite(reply.data(), 1, reply.size(), stdout);
    }
    std::fputc('\n', stdout);
    if (failure) {
        failed_ = true;
        if (numbered_) {
            std::fprintf(
                stderr,
                "line %llu: %.*s\n",
                static_cast<unsigned long long>(awaited_.front()),
                static_cast<int>(reply.size()),
                reply.data());
        }
    }
}

void line_client::lost(const asio::error_code& ec) {
    auto text = "the connection is lost: " + server_.describe(ec);
    if (!awaited_.empty() && numbered_) {
        text += "; no reply to line " + std::to_string(awaited_.front()) + " and those after it";
    }
    failed_ = true;
    std::fprintf(stderr, "butterdb-client: %s\n", text.c_str());
}

void line_client::complain(const std::string& text) {
    failed_ = true;
    if (numbered_ && line_number_ > 0) {
        std::fprintf(
            stderr, "line %llu: %s\n", static_cast<unsigned long long>(line_number_), text.c_str());
    } else {
        std::fprintf(stderr, "butterdb-client: %s\n", text.c_str());
    }
}

}  // namespace butterdb
