#pragma once

#include <butterdb/net/asio.hpp>
#include <butterdb/net/client.hpp>
#include <butterdb/net/sweeper.hpp>
#include <butterdb/net/task.hpp>
#include <butterdb/protocol/quoting.hpp>

#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace butterdb {

/// Nobody reads standard output any more: no reason to complain.
struct output_lost : std::runtime_error {
    output_lost() : std::runtime_error("cannot write to standard output") {}
};

/// Sends command lines to a server and prints the replies, in one of three ways. Each returns the
/// exit status: 0, or 1 when the server was not to be had or a reply said INVALID or ERROR.
class line_client {
public:
    /// Throws what `server_access` does. `raw` prints quoted values as the bytes that they stand
    /// for.
    line_client(const server_address& where, steady::duration timeout, bool raw);

    /// One command, its arguments as the shell split them.
    int run_command(const std::vector<std::string>& words);

    /// Every line of standard input, without waiting for the replies of those before it.
    int run_pipe();

    /// A prompt, one command at a time.
    int run_terminal();

private:
    enum class line_kind { blank, request, last_request, refused };

    line_kind queue(std::string_view line);
    int run(task<> work);
    void keep(const std::exception_ptr& failure);
    task<bool> connect();
    task<> ask_once(std::string line);
    task<bool> ask(std::string_view line);
    task<> prompt();
    task<> pipe();
    task<> send_lines(int descriptor);
    void queue_whole_lines(flat_buffer& text, bool at_end);
    task<> print_until_done();
    void print_replies();
    void print(std::string_view reply);
    void lost(const asio::error_code& ec);
    void complain(const std::string& text);
    void note_wait(std::string_view milliseconds);
    void expect_reply();

    bool raw_;
    asio::io_context io_{1};
    system_time time_{io_};
    sweeper timeouts_{time_};
    server_access access_;
    client server_;
    std::string line_copy_;
    argument_list arguments_;

    std::uint64_t line_number_ = 0;
    std::deque<std::uint64_t> awaited_;  // numbers of the lines whose replies are due
    std::chrono::milliseconds wait_{0};  // that those requests ask the server for
    bool numbered_ = false;              // complaints name the line
    bool all_sent_ = false;
    bool in_refused_line_ = false;
    bool failed_ = false;
    std::exception_ptr failure_;
    std::function<void()> stop_reading_;
};

}  // namespace butterdb
