#include <butterdb/conversation/conversation.hpp>

#include <algorithm>
#include <new>
#include <string>

namespace butterdb {

namespace {

// Receives in a row that left most of the input buffer empty, before it gives up half.
constexpr unsigned small_receives_max = 64;

// Arguments that a connection keeps room for between requests.
constexpr std::size_t arguments_kept_max = 64;

}  // namespace

conversation::conversation(engine& db, const limits& lim, std::pmr::memory_resource& memory)
    : engine_(db),
      limits_(lim),
      input_(memory),
      output_(memory),
      frames_(lim),
      arguments_(&memory) {
    input_.set_capacity(limits_.input_bytes_initial);
    engine_.add(peer_);
}

conversation::~conversation() {
    engine_.remove(peer_);
}

void conversation::receive(time_point now) {
    if (!backlog_) {
        arrived_ = input_.size();
    }
    backlog_ = false;
    if (parked() && !engine_.resume(peer_, output_, now)) {
        return;
    }
    for (std::size_t requests = 0; take_request(now); ++requests) {
        if (requests + 1 == limits_.turn_requests_max ||
            output_.size() >= limits_.turn_output_bytes_max) {
            backlog_ = open() && !parked() && !input_.empty();
            break;
        }
    }
    if (!backlog_) {
        fit_input();
    }
}

// An idle connection keeps little: a large output buffer goes as soon as it is empty.
void conversation::sent(std::size_t count) noexcept {
    output_.consume(count);
    if (output_.empty() && output_.capacity() > limits_.output_bytes_kept) {
        output_.set_capacity(0);
    }
}

// Executes one request; false when there is none, or the conversation is over.
bool conversation::take_request(time_point now) {
    if (peer_.leaving) {
        ending_ = ending::left;  // somebody else has cut it
    }
    if (!open() || parked()) {
        return false;
    }
    const auto next = frames_.next(input_.bytes(), arguments_);
    switch (next.what) {
        case frame::kind::incomplete:
            return false;
        case frame::kind::empty:
            break;
        case frame::kind::skipped:
            speak_resp();
            break;
        case frame::kind::array:
            speak_resp();
            [[fallthrough]];
        case frame::kind::line:
            engine_.execute(arguments_, peer_, output_, now);
            ending_ = peer_.leaving ? ending::left : ending::none;
            break;
        case frame::kind::refused:
            refuse(error::kind::refused);
            break;
        case frame::kind::malformed:
            refuse(error::kind::form);
            break;
        case frame::kind::broken:
            refuse(error::kind::form);
            ending_ = ending::left;
            break;
        case frame::kind::foreign:
            ending_ = ending::foreign;
            break;
    }
    input_.consume(next.size);
    return true;
}

// From a client's first array on.
void conversation::speak_resp() noexcept {
    if (peer_.speaks == dialect::text) {
        peer_.speaks = dialect::resp2;
    }
}

void conversation::refuse(error::kind what) {
    if (input_.view().starts_with('*')) {
        speak_resp();
    }
    engine_.refuse({what, "ERR", frames_.reason()}, peer_, output_);
}

// The input buffer follows what arrives: it doubles while every receive fills it and halves after a
// row of receives that left most of it empty. What a long request needed beyond that goes at once.
void conversation::fit_input() {
    if (arguments_.capacity() > arguments_kept_max) {
        arguments_ = argument_list(arguments_.get_allocator());
    }
    const auto capacity = input_.capacity();
    small_receives_ = arrived_ <= capacity / 8 ? small_receives_ + 1 : 0;
    auto wanted = capacity;
    if (capacity > limits_.input_bytes_steady) {
        wanted = limits_.input_bytes_steady;
    } else if (arrived_ == capacity) {
        wanted = std::min(2 * capacity, limits_.input_bytes_steady);
    } else if (small_receives_ > small_receives_max) {
        wanted = std::max(capacity / 2, limits_.input_bytes_initial);
        small_receives_ = 0;
    }
    if (wanted == capacity || wanted < input_.size()) {
        return;
    }
    try {
        input_.set_capacity(wanted);
    } catch (const std::bad_alloc&) {
        return;  // the old size serves too
    }
}

}  // namespace butterdb
