#include "line_client.hpp"

#include <butterdb/base/limits.hpp>
#include <butterdb/base/number.hpp>
#include <butterdb/base/settings.hpp>
#include <butterdb/base/text.hpp>

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

// Marks the client's own question among the numbers of lines.
constexpr std::uint64_t line_limit_question = 0;

// Asio makes a descriptor non-blocking; standard input is shared with the shell and its other
// children, which do not expect that.
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

std::string without_end(std::string_view line) {
    return std::string(line.substr(0, line.find_last_not_of("\r\n") + 1));
}

// The server's limit of a line, which an option or CONFIG SET chose.
const setting& line_limit() {
    constexpr std::string_view name = "max-line";
    static const auto& found = *std::ranges::find(settings(), name, &setting::name);
    return found;
}

}  // namespace

line_client::line_client(
    const server_address& where, steady::duration timeout, reply_text::form printed)
    : access_(where), server_(io_, timeouts_, timeout), printed_(printed) {}

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
        is_over_ = true;
        keep(why);
        server_.close();
        if (stop_sending_) {
            stop_sending_();
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

// Queues a line for `send`, unless the server would close the connection because of it.
line_client::line_kind line_client::queue(std::string_view line) {
    ++line_number_;
    switch (check_.check(line, line_bytes_max_.value_or(limits{}.line_bytes_max))) {
        case line_check::verdict::blank:
            return line_kind::blank;
        case line_check::verdict::refused:
            complain("not sent: " + check_.objection());
            lacks_a_line_ = in_transaction_;
            return line_kind::refused;
        case line_check::verdict::request:
            break;
    }
    const auto name = check_.command();
    const auto count = check_.arguments().size();
    if (name == "WAITKEY" && count == 3) {
        note_wait(check_.arguments()[2]);
    }
    if (name == "EXEC" && numbered_ && lacks_a_line_) {
        complain("DISCARD is sent instead: a line of the transaction was not sent");
        line = "DISCARD";
    }
    if (count == 1) {
        note_transaction(name);
    }
    server_.requests().append(line);
    server_.requests().append('\n');
    const bool leaves = (name == "EXIT" && count == 1) || name == "QUIT";
    if (name != "EXIT" || !leaves) {  // EXIT has no reply
        awaited_.push_back(line_number_);
    }
    return leaves ? line_kind::last_request : line_kind::request;
}

void line_client::note_transaction(std::string_view command) {
    const bool ends = command == "EXEC" || command == "DISCARD" || command == "RESET";
    in_transaction_ = command == "MULTI" || (in_transaction_ && !ends);
    lacks_a_line_ = lacks_a_line_ && in_transaction_;
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

// A server takes at least the least limit, so most connections never ask. In a transaction the
// server would queue the question: the default, or what is known, counts there.
bool line_client::must_learn_line_limit(std::string_view line) const noexcept {
    return line.size() > line_bytes_max_.value_or(line_limit().least) && !in_transaction_;
}

void line_client::ask_line_limit() {
    server_.requests().append("CONFIG GET max-line\n");
    awaited_.push_back(line_limit_question);
}

// A server that does not answer, as before the password, is taken to have the default.
void line_client::take_line_limit(std::string_view reply) {
    constexpr std::string_view head = "LIST 2\nmax-line\n";
    line_bytes_max_ = limits{}.line_bytes_max;
    if (reply.starts_with(head)) {
        reply.remove_prefix(head.size());
        const auto answered = line_limit().read(reply.substr(0, reply.find('\n')));
        line_bytes_max_ = answered ? *answered : *line_bytes_max_;
    } else if (reply_reader::is_refusal(reply)) {
        complain("the server refuses the connection: " + without_end(reply));
    }
    line_limit_known_.cancel();
}

task<> line_client::ask_once(std::string line) {
    const bool connected = co_await connect();
    if (connected) {
        co_await ask(line);
    }
}

// Sends a line and prints its reply. Returns false when the connection is over.
task<bool> line_client::ask(std::string_view line) {
    asio::error_code ec;
    if (must_learn_line_limit(line)) {
        ask_line_limit();
        ec = co_await exchange();
    }
    auto kind = line_kind::refused;
    if (!ec) {
        kind = queue(line);
    }
    if (!ec && !server_.requests().empty()) {
        ec = co_await exchange();
    }
    if (ec) {
        lost(ec);
    }
    co_return !ec && kind != line_kind::last_request;
}

// Sends what is queued and takes in the replies.
task<asio::error_code> line_client::exchange() {
    expect_reply();
    auto ec = co_await server_.send();
    ec.clear();  // what the server sent before it closed is still to be read
    while (!ec && !awaited_.empty()) {
        ec = co_await server_.receive();
        print_replies();
    }
    wait_ = {};
    server_.rest();
    co_return ec;
}

task<> line_client::prompt() {
    bool connected = co_await connect();
    std::string line;
    while (connected) {
        std::cout << escape_for_terminal(name_of(access_.where())) << "> " << std::flush;
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
        stop_sending_ = nullptr;
        keep(why);
        if (why || awaited_.empty()) {
            server_.close();
        }
    });
    co_await print_until_done();
}

task<> line_client::send_lines(int descriptor) {
    input_descriptor input(io_, descriptor);
    stop_sending_ = [&] {
        input.close();
        line_limit_known_.cancel();
    };
    flat_buffer text;
    asio::error_code ec;
    while (!ec && !all_sent_ && !is_over_) {
        const auto room = asio::buffer(text.prepare(read_bytes), read_bytes);
        const auto count = co_await input.async_read_some(room, into(ec));
        text.commit(count);
        co_await queue_whole_lines(text, ec == asio::error::eof);
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

// Queues the lines that are complete.
task<> line_client::queue_whole_lines(flat_buffer& text, bool at_end) {
    auto line = next_line(text, at_end);
    while (line && !all_sent_) {
        if (must_learn_line_limit(*line)) {
            co_await learn_line_limit();
        }
        if (is_over_) {
            co_return;
        }
        all_sent_ = queue(*line) == line_kind::last_request;
        text.consume(std::min(line->size() + 1, text.size()));
        line = next_line(text, at_end);
    }
    if (all_sent_ && text.view().find_first_not_of(" \t\r\n") != std::string_view::npos) {
        write_error(
            "line " + std::to_string(line_number_) +
            " ends the connection: what follows it is not sent");
    }
}

// Returns the line at the front of `text`, when it is complete or longer than any server takes; of
// such a line the rest is dropped as it comes. At the end of input the last line needs no line
// feed.
std::optional<std::string_view> line_client::next_line(flat_buffer& text, bool at_end) {
    auto line_feed = text.view().find('\n');
    if (in_refused_line_ && line_feed == std::string_view::npos) {
        text.consume(text.size());
    } else if (in_refused_line_) {
        in_refused_line_ = false;
        text.consume(line_feed + 1);
        line_feed = text.view().find('\n');
    }
    const bool is_whole = line_feed != std::string_view::npos;
    if (text.empty() || (!is_whole && !at_end && text.size() <= line_limit().most + 1)) {
        return std::nullopt;
    }
    in_refused_line_ = !is_whole && !at_end;
    return text.view().substr(0, line_feed);
}

// Waits for the server's answer, while `print_until_done` takes in the replies before it.
task<> line_client::learn_line_limit() {
    ask_line_limit();
    expect_reply();
    asio::error_code ec = co_await server_.send();
    while (!ec && !is_over_ && !awaited_.empty() && awaited_.back() == line_limit_question) {
        co_await line_limit_known_.async_wait(into(ec));
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
        if (awaited_.front() == line_limit_question) {
            take_line_limit(*reply);
        } else {
            print(*reply);
        }
        awaited_.pop_front();
    }
    if (std::fflush(stdout) != 0) {
        throw output_lost();
    }
}

void line_client::print(std::string_view reply) {
    while (!reply.empty()) {
        const auto line = reply.substr(0, reply.find('\n') + 1);
        print_line(line);
        reply.remove_prefix(line.size());
    }
}

void line_client::print_line(std::string_view line) {
    if (const auto text = printed_.of(line); text) {
        std::fwrite(text->data(), 1, text->size(), stdout);
        std::fputc('\n', stdout);
    }
    if (!reply_reader::is_failure(line)) {
        return;
    }
    failed_ = true;
    if (numbered_) {
        write_error("line " + std::to_string(awaited_.front()) + ": " + without_end(line));
    }
}

void line_client::lost(const asio::error_code& ec) {
    auto text = "the connection is lost: " + server_.describe(ec);
    const auto first = std::ranges::find_if_not(
        awaited_, [](std::uint64_t number) { return number == line_limit_question; });
    if (first != awaited_.end() && numbered_) {
        text += "; no reply to line " + std::to_string(*first) + " and those after it";
    }
    failed_ = true;
    write_error("butterdb-client: " + text);
}

void line_client::complain(const std::string& text) {
    failed_ = true;
    if (numbered_ && line_number_ > 0) {
        write_error("line " + std::to_string(line_number_) + ": " + text);
    } else {
        write_error("butterdb-client: " + text);
    }
}

void write_error(std::string_view line) {
    std::fprintf(stderr, "%s\n", escape_for_terminal(line).c_str());
}

}  // namespace butterdb
