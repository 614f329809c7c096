#include "conversation/dialogues.hpp"

#include "fuzz/targets.hpp"
#include "support/failing_resource.hpp"
#include "support/judge.hpp"
#include "support/reference.hpp"
#include "support/request_maker.hpp"
#include <butterdb/base/assert.hpp>
#include <butterdb/conversation/conversation.hpp>

#include <algorithm>
#include <deque>
#include <exception>
#include <memory>
#include <string>
#include <vector>

namespace butterdb::test {

namespace {

class dialogues {
public:
    explicit dialogues(choices& choose) : choose_(choose) {
        choose_limits();
        if (choose_.one_in(4)) {
            model_.password = "secret";
            engine_.admits = [](std::string_view said) { return said == "secret"; };
        }
        engine_.on_wait = [this](peer& who, std::chrono::milliseconds span) {
            who.waits_until = uptime_ + span;
        };
        failing_ = choose_.one_in(4);
        const auto count = 1 + choose_.below(3);
        for (unsigned i = 0; i < count; ++i) {
            clients_.push_back(std::make_unique<client>(*this));
        }
    }

    void run() {
        while (choose_.more()) {
            step();
        }
        for (auto& each : clients_) {
            do {
                take_turn(*each);
            } while (each->talk.backlog());
        }
        compare();
    }

private:
    struct client {
        explicit client(dialogues& owner)
            : talk(owner.engine_, owner.limits_),
              judged(owner.model_, owner.clients_.size()),
              maker(owner.choose_, owner.limits_, style) {
            auto& choose = owner.choose_;
            style.password = !owner.model_.password.empty();
            style.lines = choose.below(3) != 0;
            style.resp = !style.lines || choose.below(2) != 0;
            style.large_values = choose.one_in(4) && !style.password;
            style.partial_writes = !owner.failing_;
            style.over_limits =
                choose.one_in(3) && owner.limits_.request_bytes != 0 && !style.password;
            style.nonsense = choose.one_in(4);
        }

        request_style style;
        conversation talk;
        judge judged;
        request_maker maker;
        std::string unsent;
    };

    void choose_limits() {
        if (choose_.one_in(3)) {
            limits_.key_bytes_max = 4 + choose_.below(30);
            limits_.value_bytes_max = limits_.key_bytes_max + 1 + choose_.below(100);
            limits_.line_bytes_max = 100 + choose_.below(400);
            limits_.request_bytes = 4 * limits_.value_bytes_max + 300;
            limits_.output_bytes_max = 1 + choose_.below(500);
            limits_.watched_keys_max = 1 + choose_.below(3);
        }
        if (choose_.one_in(2)) {
            limits_.input_bytes_initial = 1 + choose_.below(200);
            limits_.input_bytes_steady = limits_.input_bytes_initial * 2;
            limits_.output_bytes_kept = choose_.below(100);
        }
    }

    void step() {
        auto& who = *clients_[choose_.below(static_cast<unsigned>(clients_.size()))];
        const auto dice = choose_.below(16);
        if (dice == 0) {
            const std::chrono::milliseconds span(choose_.below(60));
            now_ += span;
            uptime_ += span;
            engine_.wake_late(uptime_);
        } else if (dice == 1) {
            engine_.upkeep(now_);
        } else if (dice == 2) {
            who.talk.tidy();
        } else if (dice == 3) {
            who.talk.foresee();
        } else if (dice < 9 && who.talk.open()) {
            send_some(who);
        } else {
            take_turn(who);
        }
    }

    void send_some(client& who) {
        if (who.unsent.empty()) {
            auto request = choose_.one_in(100) ? who.maker.leave() : who.maker.next();
            who.unsent = request.bytes;
            who.judged.sent(std::move(request));
        }
        const auto count = choose_.one_in(2)
                               ? who.unsent.size()
                               : 1 + choose_.below(static_cast<unsigned>(
                                         std::min<std::size_t>(who.unsent.size(), 60'000)));
        who.talk.input().append(std::string_view(who.unsent).substr(0, count));
        who.judged.arrived(std::min(count, who.unsent.size()), now_);
        who.unsent.erase(0, count);
    }

    void take_turn(client& who) {
        if (failing_ && choose_.one_in(4)) {
            memory_.fail_at(1 + choose_.below(3), failing_resource::mode::from_then_on);
        }
        who.talk.receive(now_, 1 + choose_.below(10));
        // A client that waits is tried again only when it is worth it; here always.
        model_.memory_may_fail = memory_.has_failed();
        memory_.never_fail();
        model_.uptime = now_;
        who.judged.replied(who.talk.output(), now_);
        who.talk.sent(who.talk.output().size());
        if (!who.talk.backlog()) {
            who.judged.expect_answered(who.talk.parked());
        }
        if (!who.talk.open() && !who.judged.may_close()) {
            throw wrong_reply("a connection ends that should go on");
        }
        if (who.talk.open() && !who.talk.backlog() && who.judged.must_close()) {
            throw wrong_reply("a connection goes on that should end");
        }
    }

    void compare() {
        const auto expected = model_.entries(now_);
        for (const auto& [key, entry] : expected) {
            const auto found = db_.find(key, now_);
            if (!found || found->value != entry.value || found->deadline != entry.deadline) {
                throw wrong_reply("the store and the reference differ at '" + key + "'");
            }
        }
        std::size_t count = 0;
        std::uint64_t cursor = 0;
        do {
            cursor = db_.scan(cursor, 100, now_, [&](const store::entry&) { ++count; });
        } while (cursor != 0);
        if (count != expected.size()) {
            throw wrong_reply("the store has more entries than the reference");
        }
    }

    choices& choose_;
    limits limits_;
    failing_resource memory_;
    store db_{memory_, {64 * MiB, 1}};
    engine engine_{db_, limits_};
    reference model_{limits_};
    std::vector<std::unique_ptr<client>> clients_;
    time_point now_{std::chrono::hours(1)};
    std::chrono::steady_clock::time_point uptime_{};
    bool failing_ = false;
};

}  // namespace

void run_dialogues(choices& choose) {
    dialogues(choose).run();
}

void fuzz_dialogues(std::string_view bytes) {
    choices choose(bytes);
    try {
        run_dialogues(choose);
    } catch (const wrong_reply& why) {
        assertion_failed(why.what(), __FILE__, __LINE__);
    }
}

}  // namespace butterdb::test
