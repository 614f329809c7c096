#include "scripted_stream.hpp"
#include "silent_watch.hpp"
#include "support/catch.hpp"
#include "support/talk.hpp"
#include <butterdb/net/session.hpp>

#include <asio/co_spawn.hpp>

#include <exception>
#include <string>

using namespace butterdb;

namespace {

// Runs one session over a script to its end.
conversation::ending play(
    test::stream_script& script, test::fixture& f, test::silent_watch watch = {}) {
    asio::io_context io;
    conversation talk(f.run, f.lim);
    test::scripted_stream stream(io, script);
    std::exception_ptr failure;
    bool ended = false;
    asio::co_spawn(
        io,
        serve(stream, talk, f.lim, watch, [] { return time_point{}; }),
        [&](const std::exception_ptr& why, const asio::error_code&) {
            failure = why;
            ended = true;
        });
    io.run();
    REQUIRE(ended);
    REQUIRE_FALSE(failure);
    return talk.how_it_ended();
}

test::stream_script script_of(std::vector<std::string> reads) {
    test::stream_script script;
    script.reads = std::move(reads);
    return script;
}

}  // namespace

TEST_CASE("a session answers until the client leaves") {
    test::fixture f;
    auto script = script_of({"PUT name samarth\nGET na", "me\nDEL name\n", "EXIT\nGET name\n"});
    CHECK(play(script, f) == conversation::ending::left);
    CHECK(script.written == "OK\nsamarth\nDELETED\n");
    CHECK(script.output_ended);
}

TEST_CASE("a session ends with its input, and drops a line that has no end") {
    test::fixture f;
    auto script = script_of({"PUT a 1\nGET a\nPUT a 2"});
    CHECK(play(script, f) == conversation::ending::none);
    CHECK(script.written == "OK\n1\n");
    CHECK(f.db.get("a", f.now) == "1");
}

TEST_CASE("many requests in one read cost one write") {
    test::fixture f;
    std::string reads;
    for (int i = 0; i < 16; ++i) {
        reads += "PUT k" + std::to_string(i) + " v\n";
    }
    auto script = script_of({reads});
    play(script, f);
    CHECK(script.steps == 3);  // a read, a write, the end of input
}

TEST_CASE("what one write leaves is awaited") {
    test::fixture f;
    auto script = script_of({"ECHO " + std::string(500, 'x') + "\nEXIT\n"});
    script.try_write_bytes_max = GENERATE(0U, 1U, 7U);
    script.write_bytes_max = GENERATE(1U, 13U);
    play(script, f);
    CHECK(script.written == std::string(500, 'x') + "\n");
}

TEST_CASE("a line that never ends is refused at the limit") {
    test::fixture f;
    auto script = script_of({std::string(f.lim.line_bytes_max * 2, 'x'), "\nPUT a 1\n"});
    CHECK(play(script, f) == conversation::ending::left);
    CHECK(script.written == "INVALID Protocol error: too big inline request\n");
    CHECK(f.db.size() == 0);
}

TEST_CASE("another protocol is closed at its first byte, without waiting for a line") {
    test::fixture f;
    auto script = script_of({std::string("\x16\x03\x01", 3), "PUT a 1\n"});
    CHECK(play(script, f) == conversation::ending::foreign);
    CHECK(script.written.empty());
    CHECK(f.db.size() == 0);
}

TEST_CASE("long pipelines are served in turns and completely") {
    test::fixture f;
    std::string reads;
    std::string replies;
    for (int i = 0; i < 5000; ++i) {
        reads += "ECHO " + std::to_string(i) + "\n";
        replies += std::to_string(i) + "\n";
    }
    auto script = script_of({reads});
    play(script, f);
    CHECK(script.written == replies);
}

TEST_CASE("a session that has to end answers what has arrived, and no more than its share") {
    test::fixture f;
    f.lim.drain_bytes_max = 100;
    auto script = script_of({"PUT a 1\nGET", " a\n", std::string(50, '\n'), "PUT b 1\n"});
    for (int i = 0; i < 100; ++i) {
        script.reads.emplace_back("GET b\n");
    }
    play(script, f, {true});
    CHECK(script.written.starts_with("OK\n1\nOK\n1\n"));
    CHECK(script.written.size() < 60);
    CHECK(script.output_ended);
}

TEST_CASE("whichever I/O step fails, the session ends and has promised nothing else") {
    const std::vector<std::string> reads{
        "PUT a 1\nGET", " a\nECHO " + std::string(3000, 'y') + "\n", "DEL a\nEXIT\n"};
    const auto failure = GENERATE(
        asio::error_code(asio::error::connection_reset),
        asio::error_code(asio::error::broken_pipe),
        asio::error_code(asio::error::eof),
        asio::error_code(asio::error::operation_aborted));
    test::fixture whole;
    auto undisturbed = script_of(reads);
    undisturbed.try_write_bytes_max = undisturbed.write_bytes_max = 700;
    play(undisturbed, whole);
    REQUIRE(undisturbed.steps > 8);
    for (std::size_t step = 1; step <= undisturbed.steps; ++step) {
        test::fixture f;
        auto script = script_of(reads);
        script.try_write_bytes_max = script.write_bytes_max = 700;
        script.fail_at = step;
        script.failure = failure;
        play(script, f);
        CHECK(undisturbed.written.starts_with(script.written));
    }
}
