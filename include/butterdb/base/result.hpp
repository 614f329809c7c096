#pragma once

#include <butterdb/base/assert.hpp>

#include <string>
#include <utility>
#include <variant>

namespace butterdb {

/// Why a request was refused. Nothing was done.
struct error {
    /// `form`: the request cannot be read (unknown command, arity, syntax, framing).
    /// `refused`: it was understood and not carried out (out of memory, over a limit).
    enum class kind { form, refused };

    kind what;
    std::string code;  ///< upper-case word that programs look at: `ERR`, `OOM`
    std::string text;  ///< for people; may hold client input, the reply writer cleans it
};

/// A value or the reason why there is none, with `std::expected`'s names (C++23).
template <typename T>
class [[nodiscard]] result {
public:
    // Implicit: `return value;` and `return why;` are how a result is made.
    // NOLINTNEXTLINE(google-explicit-constructor)
    result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
    // NOLINTNEXTLINE(google-explicit-constructor)
    result(butterdb::error why) : state_(std::in_place_index<1>, std::move(why)) {}

    bool has_value() const noexcept { return state_.index() == 0; }
    explicit operator bool() const noexcept { return has_value(); }

    const T& operator*() const {
        BUTTERDB_ASSERT(has_value());
        return *std::get_if<0>(&state_);
    }
    const T* operator->() const { return &**this; }

    const butterdb::error& error() const {
        BUTTERDB_ASSERT(!has_value());
        return *std::get_if<1>(&state_);
    }

private:
    std::variant<T, butterdb::error> state_;
};

}  // namespace butterdb
