#include "support/catch.hpp"
#include <butterdb/engine/peer.hpp>

using namespace butterdb;

TEST_CASE("of the clients that read ahead all but the first stop at the limit") {
    clients_ahead all;
    client_ahead first;
    client_ahead second;
    CHECK_FALSE(all.may_grow(first, 100));
    all.update(first, 10);
    all.update(second, 89);
    CHECK(all.bytes() == 99);
    CHECK(all.may_grow(second, 100));
    all.update(second, 90);
    CHECK(all.may_grow(first, 100));
    CHECK_FALSE(all.may_grow(second, 100));
    all.update(first, 500);
    CHECK(all.may_grow(first, 100));
    all.remove(first);
    CHECK(all.bytes() == 90);
    CHECK(all.may_grow(second, 50));
    all.remove(second);
    all.remove(second);
    CHECK(all.bytes() == 0);
}
