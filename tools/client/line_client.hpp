#pragma once

#include "line_check.hpp"
#include "reply_text.hpp"
#include <butterdb/net/asio.hpp>
#include <butterdb/net/client.hpp>
#include <butterdb/net/sweeper.hpp>
#include <butterdb/net/task.hpp>

#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace butterdb {

/// Standard output takes nothing any more: no reason to complain.
struct output_lost : std::runtime_error {
    output_lost() : std::runtime_error("cannot write to standard output") {}
};

/// Sends command lines to a server and prints the replies, in one of three ways. Each returns the
/// exit status: 0, or 1 when the server cannot be reached, a line was not sent, or INVALID or ERROR
/// was a reply or an element of one.
class line_client {
public:
    /// Throws what `server_access` does.
    line_client(const server_address& where, steady::duration timeout, reply_text::form printed);

    /// One command, its arguments as the shell split them.
    int run_command(const std::vector<std::string>& words);

    /// Every line of standard input, without waiting for the replies of those before it.
    int run_pipe();

    /// A prompt, one command at a time.
    int run_terminal();

private:
    enum class line_kind { blank, request, last_request, refused };

    int run(task<> work);
    void keep(const std::exception_ptr& failure);
    task<bool> connect();
    task<> ask_once(std::string line);
    task<bool> ask(std::string_view line);
    task<asio::error_code> exchange();
    task<> prompt();
    task<> pipe();
    task<> send_lines(int descriptor);
    task<> queue_whole_lines(flat_buffer& text, bool at_end);
    std::optional<std::string_view> next_line(flat_buffer& text, bool at_end);
    task<> learn_line_limit();
    task<> print_until_done();

    line_kind queue(std::string_view line);
    void note_transaction(std::string_view command);
    void note_wait(std::string_view milliseconds);
    bool must_learn_line_limit(std::string_view line) const noexcept;
    void ask_line_limit();
    void take_line_limit(std::string_view reply);
    void expect_reply();
    void print_replies();
    void print(std::string_view reply);
    void print_line(std::string_view line);
    void lost(const asio::error_code& ec);
    void complain(const std::string& text);

    asio::io_context io_{1};
    system_time time_{io_};
    sweeper timeouts_{time_};
    server_access access_;
    client server_;
    line_check check_;
    reply_text printed_;

    std::uint64_t line_number_ = 0;
    std::deque<std::uint64_t> awaited_;            // numbers of the lines whose replies are due
    std::chrono::milliseconds wait_{0};            // that those requests ask the server for
    std::optional<std::uint64_t> line_bytes_max_;  // as the server said, once it was asked
    steady_timer line_limit_known_{io_, steady::time_point::max()};  // cancelled when it is
    bool in_transaction_ = false;  // as far as the lines say that were sent
    bool lacks_a_line_ = false;    // the transaction
    bool numbered_ = false;        // complaints name the line
    bool all_sent_ = false;
    bool is_over_ = false;  // nothing is received any more
    bool in_refused_line_ = false;
    bool failed_ = false;
    std::exception_ptr failure_;
    std::function<void()> stop_sending_;
};

/// Writes a line to standard error, with escapes for what is not terminal-safe.
void write_error(std::string_view line);

}  // namespace butterdb
