#include <butterdb/net/time_source.hpp>

#include <chrono>
#include <cstdint>
#include <utility>

namespace butterdb {

namespace {

class timer_alarm final : public alarm {
public:
    timer_alarm(asio::io_context& io, std::function<void()> ring)
        : timer_(io), bell_(std::make_shared<bell>(bell{std::move(ring), 0})) {}
    ~timer_alarm() override { ++bell_->setting; }

    void set(steady::time_point when) override {
        timer_.expires_at(when);
        // A wait that has run out already, and whose handler is queued, cannot be called back.
        timer_.async_wait([bell = bell_, setting = ++bell_->setting](const asio::error_code& ec) {
            if (!ec && setting == bell->setting) {
                bell->ring();
            }
        });
    }

    void cancel() noexcept override {
        ++bell_->setting;
        timer_.cancel();
    }

private:
    struct bell {
        std::function<void()> ring;
        std::uint64_t setting;  // the number of the one that counts
    };

    steady_timer timer_;
    std::shared_ptr<bell> bell_;
};

}  // namespace

precise_time_point system_time::precise_wall() noexcept {
    return std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
}

std::unique_ptr<alarm> system_time::make_alarm(std::function<void()> ring) {
    return std::make_unique<timer_alarm>(io_, std::move(ring));
}

}  // namespace butterdb
