#include "store/model.hpp"

#include "fuzz/targets.hpp"
#include "support/failing_resource.hpp"
#include <butterdb/base/limits.hpp>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <unordered_map>

namespace butterdb::test {

namespace {

struct model_entry {
    std::string value;
    time_point deadline;
};

void expect(bool holds, const std::string& what) {
    if (!holds) {
        throw std::logic_error("store and model differ: " + what);
    }
}

class model {
public:
    model(const model_run& run, choices& choose)
        : run_(run),
          choose_(choose),
          db_(memory_, {run.ceiling, 5, run.eviction, run.hash}),
          bytes_at_start_(db_.bytes_used()) {}

    void step() {
        if (choose_.below(64) == 0) {
            now_ += std::chrono::milliseconds(choose_.below(50));
            drop_late();
        }
        // Phases of growth and of decline, so that segments are split and joined.
        const bool growing = (++steps_ / (8 * run_.keys) & 1) == 0;
        const auto key = std::to_string(choose_.below(run_.keys));
        const auto dice = choose_.below(22);
        if (dice < (growing ? 12U : 4U)) {
            put(key);
        } else if (dice < 16) {
            erase(key);
        } else if (dice < 18) {
            compare(key);
        } else if (dice < 20) {
            change_deadline(key);
        } else if (dice == 20) {
            db_.sweep(now_, choose_.below(8));
        } else if (choose_.below(1'000) == 0) {
            db_.clear();
            entries_.clear();
        }
        expect(missing_ <= db_.evicted(), "an entry is missing that was not evicted");
        expect(db_.bytes_used() == memory_.bytes_held(), "bytes");
        expect(db_.bytes_used() <= run_.ceiling, "ceiling");
    }

    void finish() {
        drop_late();
        walk();
        expect(missing_ <= db_.evicted(), "an entry is missing that was not evicted");
        while (!entries_.empty()) {
            const auto key = entries_.begin()->first;
            compare(key);
            erase(key);
            entries_.erase(key);
        }
        now_ += std::chrono::hours(1);
        for (int i = 0; db_.bytes_used() != bytes_at_start_ && i < 10'000; ++i) {
            db_.sweep(now_, 100);
        }
        expect(db_.size() == 0, "size at the end");
        expect(db_.expiring() == 0, "expiring at the end");
        expect(
            db_.bytes_used() == bytes_at_start_,
            "bytes at the end: " + std::to_string(db_.bytes_used()) + ", at the start " +
                std::to_string(bytes_at_start_));
    }

private:
    void put(const std::string& key) {
        // Some are large enough for a block of their own.
        const auto kind = choose_.below(64);
        const auto length = choose_.below(kind == 0 ? 30'000 : kind < 4 ? 3'000 : 60);
        const std::string value(length, static_cast<char>('a' + choose_.below(26)));
        const auto deadline = choose_.below(4) == 0 ? some_deadline() : no_deadline;
        if (try_to(key, [&] { return db_.put(key, value, now_, deadline); })) {
            entries_[key] = {value, deadline};
        }
    }

    void change_deadline(const std::string& key) {
        compare(key);
        const auto deadline = choose_.below(2) == 0 ? some_deadline() : no_deadline;
        const auto entry = entries_.find(key);
        if (entry == entries_.end()) {
            expect(!db_.set_deadline(key, deadline, now_), "what is not there has a deadline");
        } else if (try_to(key, [&] { return db_.set_deadline(key, deadline, now_); })) {
            entry->second.deadline = deadline;
            compare(key);
        }
    }

    time_point some_deadline() { return now_ + std::chrono::milliseconds(1 + choose_.below(200)); }

    // A call for which there may be no memory: when it is refused, nothing has changed.
    template <typename Call>
    bool try_to(const std::string& key, Call call) {
        if (run_.failing && choose_.below(4) == 0) {
            memory_.fail_at(
                1 + choose_.below(3),
                choose_.below(2) == 0 ? failing_resource::mode::once
                                      : failing_resource::mode::from_then_on);
        }
        const auto size = db_.size();
        const auto expiring = db_.expiring();
        const auto gone = db_.evicted() + db_.expired();
        const bool done = call();
        const bool may_refuse = memory_.has_failed() || run_.ceiling < model_run{}.ceiling;
        memory_.never_fail();
        expect(done || may_refuse, "a call was refused");
        if (!done) {
            compare(key);
            const bool undisturbed = gone == db_.evicted() + db_.expired();
            expect(!undisturbed || db_.size() == size, "size after a refusal");
            expect(!undisturbed || db_.expiring() == expiring, "expiring after a refusal");
        }
        return done;
    }

    void erase(const std::string& key) {
        if (run_.failing) {  // deleting needs no memory
            memory_.fail_at(1, failing_resource::mode::from_then_on);
        }
        const bool erased = db_.erase(key, now_);
        memory_.never_fail();
        const bool expected = entries_.erase(key) == 1;
        expect(!erased || expected, "what was deleted");
        missing_ += expected && !erased ? 1U : 0U;
    }

    void compare(const std::string& key) {
        const auto found = db_.find(key, now_);
        const auto expected = entries_.find(key);
        if (!found) {
            missing_ += entries_.erase(key);
            return;
        }
        expect(expected != entries_.end(), "an entry should not be there");
        expect(found->key == key, "key");
        expect(found->value == expected->second.value, "value");
        expect(found->deadline == expected->second.deadline, "deadline");
    }

    void walk() {
        std::unordered_map<std::string, int> seen;
        std::uint64_t cursor = 0;
        do {
            cursor = db_.scan(cursor, 100, now_, [&](const store::entry& each) {
                ++seen[std::string(each.key)];
                expect(entries_.contains(std::string(each.key)), "a walk met what is not there");
            });
        } while (cursor != 0);
        expect(entries_.size() - seen.size() + missing_ <= db_.evicted(), "a walk missed an entry");
        expect(
            std::ranges::all_of(seen, [](const auto& each) { return each.second == 1; }),
            "a walk met an entry twice");
    }

    void drop_late() {
        std::erase_if(entries_, [this](const auto& each) { return each.second.deadline <= now_; });
    }

    const model_run& run_;
    choices& choose_;
    failing_resource memory_;
    store db_;
    std::uint64_t bytes_at_start_;
    std::uint64_t steps_ = 0;
    std::uint64_t missing_ = 0;  // expected, and not there
    time_point now_{};
    std::unordered_map<std::string, model_entry> entries_;
};

}  // namespace

std::uint64_t constant_hash(std::string_view, const hash_secret&) noexcept {
    return 0x123456789abcdef0;
}

std::uint64_t two_bit_hash(std::string_view key, const hash_secret& secret) noexcept {
    return secret_hash(key, secret) & 3;
}

std::uint64_t identity_hash(std::string_view key, const hash_secret&) noexcept {
    return std::strtoull(std::string(key).c_str(), nullptr, 10);
}

void run_model(const model_run& run, choices& choose) {
    model side_by_side(run, choose);
    while (choose.more()) {
        side_by_side.step();
    }
    side_by_side.finish();
}

void fuzz_store(std::string_view bytes) {
    constexpr std::array hashes{secret_hash, constant_hash, two_bit_hash, identity_hash};
    choices choose(bytes);
    model_run run;
    run.hash = hashes[choose.below(hashes.size())];
    run.keys = 1 + choose.below(256);
    run.ceiling = (choose.below(2) == 0 ? 1 : 64) * MiB;
    run.eviction = choose.below(2) == 0 ? eviction::none : eviction::clock;
    run.failing = choose.below(2) == 0;
    run_model(run, choose);
}

}  // namespace butterdb::test
