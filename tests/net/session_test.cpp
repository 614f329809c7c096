#include "scripted_stream.hpp"
#include "support/catch.hpp"
#include "support/manual_time.hpp"
#include "support/talk.hpp"
#include <butterdb/net/session.hpp>
#include <butterdb/net/sweeper.hpp>

#include <chrono>
#include <deque>
#include <exception>
#include <string>

using namespace butterdb;
using namespace std::chrono_literals;

namespace {

// One session over a script.
class session {
public:
    session(test::stream_script& script, test::fixture& f) : fixture_(f), stream_(io_, script) {
        spawn(
            serve(stream_, talk_, f.lim, watch_, time_, round_),
            [this](const std::exception_ptr& why) {
                failure_ = why;
                ended_ = true;
            });
    }

    session(const session&) = delete;
    session& operator=(const session&) = delete;
    ~session() {
        sweeper_.close_all();
        run();
    }

    // Until nothing more happens by itself.
    void run() {
        io_.restart();
        io_.poll();
    }
    void advance(steady::duration span) {
        time_.advance(span);
        run();
    }
    void arrive(test::stream_script& script, std::string_view bytes) {
        if (!bytes.empty()) {
            script.reads.emplace_back(bytes);
        }
        stream_.feed();
        run();
    }
    // It is read, and its turn has not come.
    void arrive_before_its_turn(test::stream_script& script, std::string_view bytes) {
        script.reads.emplace_back(bytes);
        stream_.feed();
        io_.restart();
        REQUIRE(io_.poll_one() == 1);
    }
    void drain() { sweeper_.drain(); }
    void close_heard() { sweeper_.close_heard(); }
    void wake_starved() {
        sweeper_.wake_starved();
        run();
    }

    bool ended() const {
        REQUIRE_FALSE(failure_);
        return ended_;
    }
    conversation::ending how_it_ended() const { return talk_.how_it_ended(); }
    awaits missed() const { return watch_.missed(); }
    conversation& talk() { return talk_; }

private:
    test::fixture& fixture_;
    test::manual_time time_;
    asio::io_context io_;
    rounds round_{io_.get_executor()};
    test::scripted_stream stream_;
    sweeper sweeper_{time_};
    watched_socket<test::scripted_stream> watch_{sweeper_, stream_};
    conversation talk_{fixture_.run, fixture_.lim};
    std::exception_ptr failure_;
    bool ended_ = false;
};

// Runs one session over a script to its end.
conversation::ending play(test::stream_script& script, test::fixture& f, bool drain = false) {
    session each(script, f);
    if (drain) {
        each.drain();
    }
    each.run();
    REQUIRE(each.ended());
    return each.how_it_ended();
}

test::stream_script script_of(std::deque<std::string> reads) {
    test::stream_script script;
    script.reads = std::move(reads);
    return script;
}

// The client stays, and takes no reply.
void read_nothing(test::stream_script& script) {
    script.ends = false;
    script.try_write_bytes_max = script.write_bytes_max = 0;
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
    play(script, f, true);
    CHECK(script.written.starts_with("OK\n1\nOK\n1\n"));
    CHECK(script.written.size() < 60);
    CHECK(script.output_ended);
}

TEST_CASE("while the server stops, who has all replies and stays is closed, and nobody else") {
    test::fixture f;
    auto script = script_of({"PUT a 1\n"});
    script.ends = false;
    session each(script, f);
    each.run();
    each.close_heard();
    each.drain();
    each.run();
    CHECK(script.output_ended);
    each.close_heard();
    each.run();
    CHECK_FALSE(each.ended());
    script.is_heard = true;
    each.close_heard();
    each.run();
    CHECK(each.ended());
    CHECK(each.missed() == awaits::nothing);
}

TEST_CASE("whichever I/O step fails, the session ends and has promised nothing else") {
    const std::deque<std::string> reads{
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

TEST_CASE("a request has so long from its first byte, however its bytes trickle in") {
    test::fixture f;
    f.lim.request_timeout = 30s;
    auto script = script_of({"PING\nP"});
    script.ends = false;
    session each(script, f);
    each.run();
    for (const char* more : {"I", "N"}) {
        each.advance(14s);
        each.arrive(script, more);
        CHECK_FALSE(each.ended());
    }
    CHECK(script.written == "+PONG\r\n");
    each.advance(3s);
    CHECK(each.ended());
    CHECK(each.missed() == awaits::rest_of_request);
}

TEST_CASE("a new request has its own time") {
    test::fixture f;
    auto script = script_of({"PI"});
    script.ends = false;
    session each(script, f);
    each.run();
    for (int i = 0; i < 5; ++i) {
        each.advance(20s);
        each.arrive(script, "NG\nPI");
    }
    CHECK_FALSE(each.ended());
    each.arrive(script, "NG\n");
    each.advance(1h);
    CHECK_FALSE(each.ended());
    CHECK(script.written.size() == 6 * 7);
}

TEST_CASE("a request that is too large and never ends has no more time than others") {
    test::fixture f;
    auto script = script_of({"*1\r\n$500000000\r\n"});
    script.ends = false;
    session each(script, f);
    each.run();
    for (int i = 0; i < 3 && !each.ended(); ++i) {
        each.advance(12s);
        each.arrive(script, "x");
    }
    CHECK(each.ended());
    CHECK(each.missed() == awaits::rest_of_request);
}

TEST_CASE("who sends no request is closed after the idle time-out, and not before") {
    test::fixture f;
    f.lim.idle_timeout = 60s;
    auto script = script_of({});
    script.ends = false;
    session each(script, f);
    each.run();
    for (int i = 0; i < 3; ++i) {
        each.advance(59s);
        each.arrive(script, "PING\n");
        CHECK_FALSE(each.ended());
    }
    each.advance(61s);
    CHECK(each.ended());
    CHECK(each.missed() == awaits::request);
}

TEST_CASE("who waits for a key is not idle") {
    test::fixture f;
    f.lim.idle_timeout = 60s;
    auto script = script_of({"WAITKEY k 0\n"});
    script.ends = false;
    session each(script, f);
    each.run();
    each.advance(1h);
    CHECK_FALSE(each.ended());
}

TEST_CASE("a peer that takes none of its replies is closed after the write time-out") {
    test::fixture f;
    auto script = script_of({"ECHO x\n"});
    read_nothing(script);
    session each(script, f);
    each.run();
    each.advance(29s);
    CHECK_FALSE(each.ended());
    each.advance(2s);
    CHECK(each.ended());
    CHECK(each.missed() == awaits::reader);
}

TEST_CASE("a client that reads nothing before it has sent everything is served") {
    test::fixture f;
    f.lim.read_ahead_bytes = 16 * KiB;
    auto script = script_of({});
    std::string replies;
    for (int i = 0; i < 200; ++i) {
        const auto text = std::to_string(i) + std::string(400, 'x');
        script.reads.push_back("ECHO " + text + "\nPUT k" + std::to_string(i) + " v\n");
        replies += text + "\nOK\n";
    }
    read_nothing(script);
    session each(script, f);
    each.run();
    const auto executed = f.db.size();
    CHECK(executed > 100);  // only what the input buffer holds is left
    CHECK(script.reads.empty());
    CHECK_FALSE(each.ended());
    script.try_write_bytes_max = script.write_bytes_max = 1000;
    each.arrive(script, "");
    CHECK(script.written == replies);
    CHECK(f.db.size() == 200);
}

TEST_CASE("a client that has sent everything and reads nothing is not executed ahead") {
    test::fixture f;
    auto script = script_of({"ECHO 1\nPUT a 1\n"});
    std::string requests;
    for (int i = 0; i < 40'000; ++i) {
        requests += "PUT k" + std::to_string(i) + " v\n";
    }
    const auto count = GENERATE(2U, 500U);
    for (std::size_t at = 0; at < count * 1'000; at += 1'000) {
        script.reads.push_back(requests.substr(at, 1'000));
    }
    read_nothing(script);
    session each(script, f);
    each.run();
    CHECK(script.reads.empty());
    CHECK(f.db.size() == 1);
}

TEST_CASE("a client that sends a byte now and then does not evade the write time-out") {
    test::fixture f;
    auto script = script_of({"ECHO x\n"});
    read_nothing(script);
    session each(script, f);
    each.run();
    for (int i = 0; i < 35 && !each.ended(); ++i) {
        each.arrive(script, "x");
        each.advance(1s);
    }
    CHECK(each.ended());
    CHECK(each.missed() == awaits::reader);
}

TEST_CASE("a client that sends much while its replies wait has more time to take them") {
    test::fixture f;
    auto script = script_of({"ECHO x\n"});
    read_nothing(script);
    session each(script, f);
    each.run();
    for (int i = 0; i < 35; ++i) {
        each.arrive(script, std::string(1'000, 'x'));
        each.advance(1s);
    }
    CHECK_FALSE(each.ended());
}

TEST_CASE("a client that no memory is left for is read on when there is some again") {
    test::fixture f;
    f.lim.read_ahead_bytes = 16 * KiB;
    f.lim.client_memory = 1 * MiB;
    auto script = script_of({});
    for (int i = 0; i < 300; ++i) {
        script.reads.push_back("ECHO " + std::string(400, 'x') + "\n");
    }
    read_nothing(script);
    {
        conversation other(f.run, f.lim);
        other.input().set_capacity(1 * MiB - 80 * KiB);
        session each(script, f);
        each.run();
        CHECK(script.reads.size() > 100);
        other.input().set_capacity(0);
        each.wake_starved();
        CHECK(script.reads.empty());
        CHECK_FALSE(each.ended());
    }
    CHECK(f.run.clients_ahead().bytes() == 0);
}

TEST_CASE("replies that wait are bounded, and the client is then read no further") {
    test::fixture f;
    f.lim.pending_output = 10'000;
    f.lim.read_ahead_bytes = 16 * KiB;
    auto script = script_of({});
    for (int i = 0; i < 300; ++i) {
        script.reads.push_back("ECHO " + std::string(400, 'x') + "\n");
    }
    read_nothing(script);
    session each(script, f);
    each.run();
    CHECK(script.reads.size() > 100);
    CHECK(each.talk().output().size() >= f.lim.pending_output);
    CHECK(each.talk().output().size() < f.lim.pending_output + 2 * turn_step * 500);
    each.advance(f.lim.write_timeout + 1s);
    CHECK(each.ended());
    CHECK(each.missed() == awaits::reader);
}

TEST_CASE("a peer that never leaves after the last reply is closed") {
    test::fixture f;
    auto script = script_of({"QUIT\n"});
    script.ends = false;
    session each(script, f);
    each.run();
    CHECK(script.output_ended);
    CHECK_FALSE(each.ended());
    each.advance(2s);
    CHECK(each.ended());
}

TEST_CASE("an idle session gives its memory back within two seconds, in mid-request too") {
    test::fixture f;
    const auto* const rest = GENERATE("", "PI");
    auto script = script_of({});
    for (int i = 0; i < 10; ++i) {
        script.reads.emplace_back(16 * KiB, '\n');
    }
    script.ends = false;
    session each(script, f);
    each.run();
    each.arrive(script, rest);
    CHECK(each.talk().input().capacity() == f.lim.input_bytes_steady);
    each.advance(2s);
    CHECK(each.talk().input().capacity() == f.lim.input_bytes_initial);
    CHECK_FALSE(each.ended());
    each.arrive(script, *rest == '\0' ? "PING\n" : "NG\n");
    CHECK(script.written == "+PONG\r\n");
}

TEST_CASE("a long turn is cut short by the clock") {
    test::fixture f;
    f.lim.turn_requests_max = 1000;
    const auto slow = GENERATE(false, true);
    std::string requests;
    for (int i = 0; i < 500; ++i) {
        requests += "PING\n";
    }
    conversation talk(f.run, f.lim);
    test::running_time running(slow ? 150us : 0us);
    sweeper none(running);
    test::stream_script script;
    asio::io_context io;
    test::scripted_stream stream(io, script);
    watched_socket watch(none, stream);
    test::append(talk, requests);
    take_turn(talk, watch, f.lim, running);
    CHECK(talk.output().size() == (slow ? 2 * turn_step : 500) * 7);
}

TEST_CASE("between a request and its reply another client has two turns at most") {
    test::fixture f;
    f.lim.turn_requests_max = 30;
    asio::io_context io;
    test::manual_time time;
    sweeper timeouts(time);
    auto flood = script_of({});
    for (int i = 0; i < 20; ++i) {
        std::string requests;
        for (int j = 0; j < 500; ++j) {
            requests += "PING\n";
        }
        flood.reads.push_back(requests);
    }
    auto modest = script_of({});
    modest.ends = false;
    flood.try_write_bytes_max = 1'000'000;
    rounds round(io.get_executor());
    const auto run = [&](test::scripted_stream& stream, watched& watch, conversation& talk) {
        spawn(serve(stream, talk, f.lim, watch, time, round), [](const std::exception_ptr&) {});
    };
    test::scripted_stream first(io, flood);
    test::scripted_stream second(io, modest);
    watched_socket first_watch(timeouts, first);
    watched_socket second_watch(timeouts, second);
    conversation first_talk(f.run, f.lim);
    conversation second_talk(f.run, f.lim);
    run(first, first_watch, first_talk);
    run(second, second_watch, second_talk);
    const std::size_t turn_bytes = f.lim.turn_requests_max * 7;
    for (int asked = 0; asked < 20; ++asked) {
        io.poll_one();
        const auto flood_before = flood.written.size();
        const auto replies_before = modest.written.size();
        modest.reads.emplace_back("PING\n");
        second.feed();
        while (modest.written.size() == replies_before) {
            REQUIRE(io.poll_one() == 1);
        }
        CHECK(flood.written.size() - flood_before <= 2 * turn_bytes);
    }
    timeouts.close_all();
    io.poll();
}

TEST_CASE("who waits for a key that is written in the same turn is answered at once") {
    test::fixture f;
    asio::io_context io;
    test::manual_time time;
    sweeper timeouts(time);
    rounds round(io.get_executor());
    auto waits = script_of({"WAITKEY key 0\n"});
    auto writes = script_of({"PUT key value\n"});
    waits.ends = writes.ends = false;
    test::scripted_stream first(io, waits);
    test::scripted_stream second(io, writes);
    watched_socket first_watch(timeouts, first);
    watched_socket second_watch(timeouts, second);
    conversation first_talk(f.run, f.lim);
    conversation second_talk(f.run, f.lim);
    first_talk.who().wake = [&] { first_watch.wake(); };
    const auto ignore = [](const std::exception_ptr&) {};
    spawn(serve(first, first_talk, f.lim, first_watch, time, round), ignore);
    spawn(serve(second, second_talk, f.lim, second_watch, time, round), ignore);
    io.poll();
    CHECK(writes.written == "OK\n");
    CHECK(waits.written == "value\n");
    timeouts.close_all();
    io.restart();
    io.poll();
}

TEST_CASE("a request that has come is not too late, however long it waits for its turn") {
    test::fixture f;
    f.lim.idle_timeout = 10s;
    auto script = script_of({});
    script.ends = false;
    session each(script, f);
    each.run();

    SECTION("the client was idle before") {
        each.advance(9s);
        each.arrive_before_its_turn(script, "PING\n");
        each.advance(5s);
        CHECK(script.written == "+PONG\r\n");
        CHECK(each.missed() == awaits::nothing);
    }
    SECTION("its rest came in the last second") {
        each.arrive(script, "PI");
        each.advance(f.lim.request_timeout - 1s);
        each.arrive_before_its_turn(script, "NG\n");
        each.advance(5s);
        CHECK(script.written == "+PONG\r\n");
        CHECK(each.missed() == awaits::nothing);
    }
}
