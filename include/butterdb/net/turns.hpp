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
class turns {
public:
    /// `before_acting` is called once for all that act then.
    explicit turns(
        executor where, std::function<void()> before_acting = [] {})
        : where_(where), before_acting_(std::move(before_acting)) {}
    turns(const turns&) = delete;
    turns& operator=(const turns&) = delete;
    /// Ends the coroutines that wait here.
    ~turns() {
        for (auto* each : {&acting_, &listening_}) {
            for (const auto& one : *each) {
                one.root.destroy();
            }
        }
    }

    class place;

    /// Awaited: goes on when it is one's turn to act, behind all that is ready now.
    place act() noexcept;
    /// Awaited: goes on when all have acted.
    place listen() noexcept;

private:
    struct waiting {
        std::coroutine_handle<> who;
        std::coroutine_handle<> root;
    };

    void wait_to_act(waiting one) {
        if (!due_) {
            asio::post(where_, [this] { run(); });
            due_ = true;
        }
        acting_.push_back(one);
    }

    void run() {
        due_ = false;
        running_ = true;
        before_acting_();
        go_on(acting_);
        running_ = false;
        go_on(listening_);
    }

    // Those that come meanwhile wait for the next time.
    void go_on(std::vector<waiting>& row) {
        going_on_.swap(row);
        for (const auto& each : going_on_) {
            each.who.resume();
        }
        going_on_.clear();
    }

    executor where_;
    std::function<void()> before_acting_;
    bool due_ = false;
    bool running_ = false;
    std::vector<waiting> acting_;
    std::vector<waiting> listening_;
    std::vector<waiting> going_on_;
};

/// A place in a row of those that wait.
class turns::place {
public:
    place(turns& in, bool to_act) noexcept : in_(&in), to_act_(to_act) {}

    bool await_ready() const noexcept { return !to_act_ && !in_->running_; }
    template <typename Promise>
    void await_suspend(std::coroutine_handle<Promise> who) {
        const waiting one{who, who.promise().root};
        if (to_act_) {
            in_->wait_to_act(one);
        } else {
            in_->listening_.push_back(one);
        }
    }
    static void await_resume() noexcept {}

private:
    turns* in_;
    bool to_act_;
};

inline turns::place turns::act() noexcept {
    return {*this, true};
}

inline turns::place turns::listen() noexcept {
    return {*this, false};
}

}  // namespace butterdb
