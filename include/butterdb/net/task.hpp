#pragma once

#include <butterdb/base/assert.hpp>
#include <butterdb/net/asio.hpp>

#include <asio/async_result.hpp>
#include <asio/post.hpp>
#include <asio/system_error.hpp>

#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

// Coroutines over Asio's operations. Asio's own `awaitable` is more general, and takes a frame and
// some five hundred instructions more for each operation (docs/benchmarks.md, "A turn of a
// client").
//
//   spawn -> root -> task -> task -> operation       each awaits the next; one chain, one thread
//
// A chain that waits is owned by the handler of its operation: when that is dropped without being
// called, as by the io_context's destructor, the root's frame is destroyed, and with it all others.
//
// A task that ends gives control back without the stack growing, but for GCC below -O2: between two
// real waits only a bounded number of tasks may end.

namespace butterdb {

/// What every coroutine of a chain has.
class chain_promise {
public:
    std::coroutine_handle<> caller;  ///< goes on at the end; none: the root
    std::coroutine_handle<> root;    ///< its frame holds all others
};

/// Ends a coroutine in its caller.
class back_to_caller {
public:
    static bool await_ready() noexcept { return false; }
    template <typename Promise>
    static std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self) noexcept {
        return self.promise().caller;
    }
    static void await_resume() noexcept {}
};

/// Where a coroutine leaves its result for who awaits it.
template <typename T>
class result_promise : public chain_promise {
public:
    template <typename Value>
    void return_value(Value&& value) {
        result_.emplace(std::forward<Value>(value));
    }

protected:
    T take() { return std::move(*result_); }

private:
    std::optional<T> result_;
};

template <>
class result_promise<void> : public chain_promise {
public:
    static void return_void() noexcept {}

protected:
    static void take() noexcept {}
};

/// A coroutine that begins when it is awaited, once, and gives its result, or throws what it threw.
/// It lives as long as this.
template <typename T = void>
class [[nodiscard]] task {
public:
    class promise_type : public result_promise<T> {
    public:
        task get_return_object() noexcept { return task(*this); }
        static std::suspend_always initial_suspend() noexcept { return {}; }
        static back_to_caller final_suspend() noexcept { return {}; }
        void unhandled_exception() noexcept { failure_ = std::current_exception(); }

    private:
        friend class task;

        T result() {
            if (failure_) {
                std::rethrow_exception(std::exchange(failure_, nullptr));
            }
            return this->take();
        }

        std::exception_ptr failure_;
    };

    task(task&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
    task& operator=(task&&) = delete;
    ~task() {
        if (frame_) {
            frame_.destroy();
        }
    }

    static bool await_ready() noexcept { return false; }
    template <typename Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> caller) noexcept {
        auto& own = frame_.promise();
        own.caller = caller;
        own.root = caller.promise().root;
        return frame_;
    }
    T await_resume() { return frame_.promise().result(); }

private:
    explicit task(promise_type& promise) noexcept
        : frame_(std::coroutine_handle<promise_type>::from_promise(promise)) {}

    std::coroutine_handle<promise_type> frame_;
};

/// The first of a chain, which nobody awaits: it destroys itself at its end.
class root_task {
public:
    class promise_type : public chain_promise {
    public:
        root_task get_return_object() noexcept {
            root = std::coroutine_handle<promise_type>::from_promise(*this);
            return {};
        }
        static std::suspend_never initial_suspend() noexcept { return {}; }
        static std::suspend_never final_suspend() noexcept { return {}; }
        static void return_void() noexcept {}
        [[noreturn]] static void unhandled_exception() noexcept { std::terminate(); }
    };
};

/// Runs a coroutine, at once, up to its first wait. When it has ended and its frame is gone, which
/// may be before `spawn` returns, `done` is called with the exception that ended it, if one did; it
/// may not throw. The result is dropped. Throws std::bad_alloc, and nothing runs.
template <typename T, typename Done>
root_task spawn(task<T> work, Done done) {
    std::exception_ptr failure;
    {
        auto running = std::move(work);
        try {
            static_cast<void>(co_await running);
        } catch (...) {
            failure = std::current_exception();
        }
    }
    done(failure);
}

/// A coroutine that waits for an operation; lies in its frame.
template <typename... Results>
class waiter {
public:
    /// What Asio calls when the operation is done.
    class resumption {
    public:
        explicit resumption(waiter& who) noexcept : who_(&who) {}
        resumption(resumption&& other) noexcept : who_(std::exchange(other.who_, nullptr)) {}
        resumption& operator=(resumption&&) = delete;
        ~resumption() {
            if (who_ != nullptr && who_->under_way_) {
                who_->root_.destroy();
            } else if (who_ != nullptr) {
                who_->dropped_ = true;
            }
        }

        void operator()(asio::error_code ec, Results... results) {
            *who_->ec_ = ec;
            who_->results_.emplace(std::move(results)...);
            (*this)();
        }
        void operator()() {
            auto* const who = std::exchange(who_, nullptr);
            BUTTERDB_ASSERT(who->under_way_);  // Asio never calls a handler from where it starts
            who->caller_.resume();
        }

    private:
        waiter* who_;
    };

    static bool await_ready() noexcept { return false; }

protected:
    explicit waiter(asio::error_code* ec) noexcept : ec_(ec) {}

    // `start` is called with the handler. When it throws, the coroutine goes on with the exception,
    // and with one when the handler is dropped.
    template <typename Promise, typename Start>
    void wait(std::coroutine_handle<Promise> caller, Start start) {
        caller_ = caller;
        root_ = caller.promise().root;
        start(resumption(*this));
        if (dropped_) {
            throw asio::system_error(asio::error::operation_aborted);
        }
        under_way_ = true;
    }

    std::tuple<Results...>& results() noexcept { return *results_; }

private:
    std::coroutine_handle<> caller_;
    std::coroutine_handle<> root_;
    asio::error_code* ec_;
    std::optional<std::tuple<Results...>> results_;
    bool under_way_ = false;
    bool dropped_ = false;
};

/// An operation of Asio that begins when it is awaited, and gives what its handler is given behind
/// the error.
template <typename Results, typename Initiation, typename... Arguments>
class operation;

template <typename... Results, typename Initiation, typename... Arguments>
class operation<std::tuple<Results...>, Initiation, Arguments...> : public waiter<Results...> {
public:
    operation(Initiation start, asio::error_code* ec, Arguments... given)
        : waiter<Results...>(ec), start_(std::move(start)), arguments_(std::move(given)...) {}

    template <typename Promise>
    void await_suspend(std::coroutine_handle<Promise> caller) {
        this->wait(caller, [this](auto go_on) {
            std::apply(
                [&](auto&... each) { std::move(start_)(std::move(go_on), std::move(each)...); },
                arguments_);
        });
    }

    auto await_resume() {
        if constexpr (sizeof...(Results) == 1) {
            return std::move(std::get<0>(this->results()));
        }
    }

private:
    Initiation start_;
    std::tuple<Arguments...> arguments_;
};

/// Completion token: `co_await` the operation in a task, its error goes to `ec`.
class into {
public:
    explicit into(asio::error_code& ec) noexcept : ec_(&ec) {}

    asio::error_code* where() const noexcept { return ec_; }

private:
    asio::error_code* ec_;
};

/// Awaited: goes on behind all that is ready to run.
class others_turn : public waiter<> {
public:
    explicit others_turn(const executor& where) noexcept : waiter(nullptr), where_(where) {}

    template <typename Promise>
    void await_suspend(std::coroutine_handle<Promise> caller) {
        wait(caller, [this](resumption go_on) { asio::post(where_, std::move(go_on)); });
    }
    static void await_resume() noexcept {}

private:
    executor where_;
};

}  // namespace butterdb

template <typename... Results>
class asio::async_result<butterdb::into, void(asio::error_code, Results...)> {
public:
    template <typename Initiation, typename... Arguments>
    static auto initiate(Initiation start, butterdb::into token, Arguments... given) {
        return butterdb::operation<std::tuple<Results...>, Initiation, Arguments...>(
            std::move(start), token.where(), std::move(given)...);
    }
};
