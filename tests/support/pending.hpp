#pragma once

#include <butterdb/net/asio.hpp>

#include <asio/post.hpp>

#include <cstddef>
#include <memory>
#include <utility>

namespace butterdb::test {

/// An asynchronous operation of a stream under test that has not completed: its handler, whatever
/// its type, and what completes it through the io_context.
template <typename... Results>
class pending {
public:
    /// True while there is one.
    explicit operator bool() const noexcept { return held_ != nullptr; }

    template <typename Handler>
    void hold(asio::io_context& io, Handler handler) {
        held_ = std::make_unique<holder<Handler>>(io, std::move(handler));
    }

    /// There is none any more.
    void complete(asio::error_code ec, Results... results) {
        const auto done = std::move(held_);
        done->complete(ec, std::move(results)...);
    }

    void drop() noexcept { held_.reset(); }

private:
    struct base {
        virtual ~base() = default;
        virtual void complete(asio::error_code ec, Results... results) = 0;
    };

    template <typename Handler>
    struct holder final : base {
        holder(asio::io_context& context, Handler call) : io(context), handler(std::move(call)) {}

        void complete(asio::error_code ec, Results... results) override {
            auto act = [call = std::move(handler), ec, ... given = std::move(results)]() mutable {
                std::move(call)(ec, std::move(given)...);
            };
            asio::post(io, std::move(act));
        }

        asio::io_context& io;
        Handler handler;
    };

    std::unique_ptr<base> held_;
};

}  // namespace butterdb::test
