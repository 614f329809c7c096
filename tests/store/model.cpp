#include "store/model.hpp"

#include "support/catch.hpp"

#include <random>
#include <string>
#include <unordered_map>

namespace butterdb::test {

namespace {

struct model_entry {
    std::string value;
    time_point deadline;
};

class model {
public:
    model(store& db, const model_run& run) : db_(db), random_(run.seed), keys_(run.keys) {}

    void step() {
        if (random_() % 64 == 0) {
            now_ += std::chrono::milliseconds(random_() % 50);
            drop_late();
        }
        const auto key = std::to_string(random_() % keys_);
        // Phases of growth and of decline, so that segments are split and joined.
        const bool growing = (++steps_ / (8 * keys_) & 1) == 0;
        const auto dice = random_() % 10;
        if (dice < (growing ? 6U : 2U)) {
            put(key);
        } else if (dice < 8) {
            REQUIRE(db_.erase(key, now_) == (entries_.erase(key) == 1));
        } else if (dice == 8) {
            compare(key);
        } else {
            db_.sweep(now_, random_() % 8);
        }
        if (random_() % 20'000 == 0) {
            db_.clear();
            entries_.clear();
        }
    }

    void finish(std::uint64_t bytes_at_start) {
        drop_late();
        for (const auto& [key, entry] : entries_) {
            compare(key);
        }
        while (!entries_.empty()) {
            REQUIRE(db_.erase(entries_.begin()->first, now_));
            entries_.erase(entries_.begin());
        }
        now_ += std::chrono::hours(1);
        for (int i = 0; db_.bytes_used() != bytes_at_start && i < 10'000; ++i) {
            db_.sweep(now_, 100);
        }
        REQUIRE(db_.size() == 0);
        REQUIRE(db_.bytes_used() == bytes_at_start);
    }

private:
    void put(const std::string& key) {
        const std::string value(
            random_() % (random_() % 16 == 0 ? 3000 : 60), static_cast<char>(random_()));
        const auto deadline = random_() % 4 == 0
                                  ? now_ + std::chrono::milliseconds(1 + random_() % 200)
                                  : no_deadline;
        REQUIRE(db_.put(key, value, now_, deadline));
        entries_[key] = {value, deadline};
    }

    void compare(const std::string& key) {
        const auto found = db_.find(key, now_);
        const auto expected = entries_.find(key);
        REQUIRE(found.has_value() == (expected != entries_.end()));
        if (found) {
            REQUIRE(found->key == key);
            REQUIRE(found->value == expected->second.value);
            REQUIRE(found->deadline == expected->second.deadline);
        }
        REQUIRE(db_.size() >= entries_.size());
    }

    void drop_late() {
        std::erase_if(entries_, [this](const auto& each) { return each.second.deadline <= now_; });
    }

    store& db_;
    std::mt19937_64 random_;
    unsigned keys_;
    std::uint64_t steps_ = 0;
    time_point now_{};
    std::unordered_map<std::string, model_entry> entries_;
};

}  // namespace

void run_model(store& db, const model_run& run) {
    const auto bytes_at_start = db.bytes_used();
    model side_by_side(db, run);
    for (int i = 0; i < run.steps; ++i) {
        side_by_side.step();
    }
    side_by_side.finish(bytes_at_start);
}

}  // namespace butterdb::test
