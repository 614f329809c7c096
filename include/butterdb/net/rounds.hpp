#pragma once

#include <butterdb/net/asio.hpp>
#include <butterdb/net/task.hpp>

#include <asio/post.hpp>

#include <coroutine>
#include <functional>
#include <utility>
#include <vector>

namespace butterdb {

/// In which order sessions go on. Those that have read something wait until all that is ready has
/// been read; then they act one after the other, and only when the last has acted do they read on:
///
///     read A, read B, read C   |   act A, act B, act C   |   read A, ...
///
/// So what A needs from memory is on its way while B and C are read, and by the time that A reads
/// again, its client may have sent more: a read that finds nothing costs as much as one that does.
/// Each acts once in a round; those that have more to do come behind those that have just read.
class rounds {
public:
    /// `before_acting` is called once in each round.
    explicit rounds(
        const executor& where, std::function<void()> before_acting = [] {})
        : where_(where), before_acting_(std::move(before_acting)) {}
    rounds(const rounds&) = delete;
    rounds& operator=(const rounds&) = delete;
    /// Ends the coroutines that wait here.
    ~rounds() {
        for (auto* each : {&fresh_, &again_, &readers_}) {
            for (const auto& one : *each) {
                one.root.destroy();
            }
        }
    }

    class place;

    /// Awaited: goes on when it is one's turn to act in the next round. `again`: without having
    /// read since the last one.
    place to_act(bool again) noexcept;
    /// Awaited: goes on when all have acted.
    place to_read() noexcept;

private:
    struct waiting {
        std::coroutine_handle<> who;
        std::coroutine_handle<> root;
    };
    using row = std::vector<waiting>;

    void wait_to_act(row& where, waiting one) {
        where.push_back(one);
        if (!due_) {
            try {
                asio::post(where_, [this] { run(); });
            } catch (...) {
                where.pop_back();
                throw;
            }
            due_ = true;
        }
    }

    void run() {
        due_ = false;
        acting_ = true;
        before_acting_();
        // Before the first of them joins the next round.
        going_again_.swap(again_);
        go_on(fresh_, going_on_);
        resume_all(going_again_);
        acting_ = false;
        go_on(readers_, going_on_);
    }

    // Those that come meanwhile wait for the next time.
    static void go_on(row& those, row& meanwhile) {
        meanwhile.swap(those);
        resume_all(meanwhile);
    }

    static void resume_all(row& those) {
        for (const auto& each : those) {
            each.who.resume();
        }
        those.clear();
    }

    executor where_;
    std::function<void()> before_acting_;
    bool due_ = false;
    bool acting_ = false;
    row fresh_;  // have just read
    row again_;  // have more to do
    row readers_;
    row going_on_;
    row going_again_;
};

/// A place in a row of those that wait.
class rounds::place {
public:
    /// `row` null: nobody has to wait.
    place(rounds& in, row* where) noexcept : in_(&in), row_(where) {}

    bool await_ready() const noexcept { return row_ == nullptr; }
    template <typename Promise>
    void await_suspend(std::coroutine_handle<Promise> who) {
        const waiting one{who, who.promise().root};
        if (row_ == &in_->readers_) {
            row_->push_back(one);
        } else {
            in_->wait_to_act(*row_, one);
        }
    }
    static void await_resume() noexcept {}

private:
    rounds* in_;
    row* row_;
};

inline rounds::place rounds::to_act(bool again) noexcept {
    return {*this, again ? &again_ : &fresh_};
}

inline rounds::place rounds::to_read() noexcept {
    return {*this, acting_ ? &readers_ : nullptr};
}

}  // namespace butterdb
