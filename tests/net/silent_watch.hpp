#pragma once

#include <butterdb/net/asio.hpp>

namespace butterdb::test {

/// A watch that never closes anything.
struct silent_watch {
    void expect_within(steady::duration) {}
    void expect_input_within(steady::duration) {}
    void got_input() {}
    bool draining() const { return drain; }

    bool drain = false;
};

}  // namespace butterdb::test
