#include "support/catch.hpp"
#include "support/failing_resource.hpp"
#include <butterdb/base/flat_buffer.hpp>

#include <new>
#include <random>
#include <string>

using namespace butterdb;

TEST_CASE("a flat buffer is a queue of bytes, whatever the order of calls") {
    std::mt19937 random(7);
    flat_buffer buffer;
    std::string model;
    for (int step = 0; step < 20'000; ++step) {
        const auto count = random() % 300;
        if (random() % 2 == 0) {
            const std::string bytes(count, static_cast<char>('a' + random() % 26));
            buffer.append(bytes);
            model += bytes;
        } else {
            const auto dropped = std::min<std::size_t>(count * 2, model.size());
            buffer.consume(dropped);
            model.erase(0, dropped);
        }
        if (step % 1000 == 0) {
            buffer.set_capacity(model.size() + random() % 100);
        }
        REQUIRE(buffer.view() == model);
    }
}

TEST_CASE("a flat buffer allocates nothing until its first byte and gives everything back") {
    test::failing_resource memory;
    {
        flat_buffer buffer(memory);
        CHECK(memory.bytes_held() == 0);
        buffer.append("x");
        CHECK(memory.bytes_held() == buffer.capacity());
        buffer.consume(1);
        buffer.set_capacity(0);
        CHECK(memory.bytes_held() == 0);
        buffer.append(std::string(5000, 'y'));
    }
    CHECK(memory.bytes_held() == 0);
}

TEST_CASE("a flat buffer that cannot grow keeps its bytes") {
    test::failing_resource memory;
    flat_buffer buffer(memory);
    buffer.append("kept");
    memory.fail_at(1, test::failing_resource::mode::from_then_on);
    CHECK_THROWS_AS(buffer.append(std::string(100'000, 'x')), std::bad_alloc);
    CHECK(buffer.view() == "kept");
    CHECK_THROWS_AS(buffer.prepare(static_cast<std::size_t>(-1)), std::bad_alloc);
    CHECK(buffer.view() == "kept");
}

TEST_CASE(
    "a buffer doubles far from the size that it may reach, and near it hardly grows beyond need") {
    CHECK(grown_capacity(1000, 1001, flat_buffer::size_most) == 2000);
    CHECK(grown_capacity(1000, 5000, flat_buffer::size_most) == 5000);
    CHECK(grown_capacity(640, 641, 1024) == 641 + (1024 - 641) / 2);
    CHECK(grown_capacity(1000, 1010, 1024) == 1010 + 1024 / 64);
    constexpr std::size_t size_max = 1 << 20;
    std::size_t capacity = 0;
    int moves = 0;
    for (std::size_t size = 1; size <= size_max; ++size) {
        if (size > capacity) {
            capacity = grown_capacity(capacity, size, size_max);
            REQUIRE(capacity >= size);
            ++moves;
        }
    }
    CHECK(capacity <= size_max + size_max / 64);
    CHECK(moves < 30);
}

TEST_CASE("prepared bytes count once committed and can be dropped again") {
    flat_buffer buffer;
    buffer.prepare(10)[0] = 'a';
    CHECK(buffer.empty());
    buffer.commit(1);
    buffer.append('b');
    buffer.drop_back(1);
    CHECK(buffer.view() == "a");
}
