#include <butterdb/conversation/conversation.hpp>

#include <algorithm>
#include <new>
#include <string>
#include <utility>

namespace butterdb {

namespace {

// Receives in a row that left most of the input buffer empty, before it gives up half.
constexpr unsigned small_receives_max = 64;

}  // namespace

conversation::conversation(engine& db, const limits& lim)
    : engine_(db),
      limits_(lim),
      peer_(db.client_memory(), db.entries().secret()),
      input_(peer_.memory),
      output_(peer_.memory),
      frames_(lim),
      arguments_(&peer_.memory) {
    input_.set_capacity(limits_.input_bytes_initial);
    engine_.add(peer_);
}

conversation::~conversation() {
    engine_.remove(peer_);
}

std::size_t conversation::receive(time_point now, std::size_t requests_max) {
    if (!backlog_) {
        arrived_ = input_.size();
    }
    backlog_ = false;
    if (parked() && !engine_.resume(peer_, output_, now)) {
        return 0;
    }
    std::size_t requests = 0;
    while (!backlog_ && !input_.empty() && open() && !parked()) {
        frames_.set_strict(peer_.stranger);
        auto taken = take_whole_requests(now, requests_max - requests);
        if (taken == 0) {
            if (!take_request(now)) {
                break;
            }
            taken = frames_.is_skipping() ? 0U : 1U;
        }
        requests += taken;
        backlog_ = requests == requests_max || has_done_enough();
    }
    backlog_ = backlog_ && open() && !parked() && !input_.empty();
    if (!backlog_) {
        fit_input();
    }
    engine_.shed_clients();
    return requests;
}

// The capacity that the input buffer is to have next. A large argument gets what it needs and no
// more; many small ones are not to be moved one by one. No request may come to more than the
// limits.
std::size_t conversation::next_capacity() const noexcept {
    const auto size = input_.size();
    const auto due = frames_.due();
    const bool is_large = frames_.due_for_argument() > size / 4;
    const auto needed = is_large ? due : std::max(due, size + size / 4);
    const auto doubled = 2 * input_.capacity();
    const auto wanted = due > size ? std::min(doubled, needed + read_bytes_min) : doubled;
    const auto most = std::max(limits_.request_bytes_max(), limits_.line_bytes_max);
    return std::max<std::size_t>(
        std::min<std::uint64_t>(wanted, most + read_bytes_min), size + read_bytes_min);
}

bool conversation::grow_input(std::size_t read_bytes_max) noexcept {
    const auto size = input_.size();
    try {
        if (input_.capacity() - size < read_bytes_min) {
            input_.set_capacity(next_capacity());
        }
        input_.prepare(std::min(input_.capacity() - size, read_bytes_max));
        engine_.shed_clients();
        return true;
    } catch (const std::bad_alloc&) {
        return false;
    }
}

// An idle connection keeps little: a large output buffer goes as soon as it is empty.
void conversation::sent(std::size_t count) noexcept {
    output_.consume(count);
    output_before_turn_ -= std::min(output_before_turn_, count);
    if (output_.empty() && output_.capacity() > limits_.output_bytes_kept) {
        output_.set_capacity(0);
    }
}

// The output may have to double, and is there twice while it is copied.
bool conversation::may_read_ahead() noexcept {
    if (!open() || is_stranger() || output_.size() >= limits_.pending_output_max()) {
        return false;
    }
    auto& ahead = engine_.clients_ahead();
    ahead.update(peer_.ahead, input_.capacity() + output_.capacity());
    return ahead.may_grow(peer_.ahead, limits_.client_memory_max() / 2) &&
           engine_.has_client_memory(2 * output_.capacity() + limits_.input_bytes_steady);
}

void conversation::end_read_ahead() noexcept {
    engine_.clients_ahead().remove(peer_.ahead);
    backlog_ = open() && !input_.empty();
}

void conversation::foresee() {
    ahead_count_ = 0;
    if (!engine_.expects_enough()) {
        look_ahead(ahead_max);
        expect_keys();
    }
}

// Finds requests that are whole arrays, as most are.
void conversation::look_ahead(std::size_t requests_max) {
    ahead_count_ = 0;
    ahead_of_ = input_.view();
    if (!ahead_of_.starts_with('*') || parked() || !open()) {
        return;
    }
    frames_.set_strict(peer_.stranger);
    ahead_settings_ = engine_.settings_changed();
    ahead_count_ = frames_.look_ahead(
        ahead_of_, std::span(ahead_).first(std::min(ahead_max, requests_max)), arguments_);
}

// What is foreseen holds until the input is another, or may have to be read in another way.
bool conversation::has_foreseen() const noexcept {
    const auto input = input_.view();
    return ahead_count_ > 0 && input.data() == ahead_of_.data() &&
           input.size() == ahead_of_.size() && ahead_settings_ == engine_.settings_changed() &&
           !peer_.stranger;
}

// The first argument is the key, if there is one.
void conversation::expect_keys() {
    constexpr std::size_t key_bytes_max = 128;  // to hash a longer one twice costs more than a wait
    arguments all = arguments_;
    for (const auto& each : std::span(ahead_).first(ahead_count_)) {
        if (each.arguments > 1 && all[1].size() <= key_bytes_max) {
            engine_.expect(all[1]);
        }
        all = all.subspan(each.arguments);
    }
}

// Executes what is foreseen, and gives how many that were.
std::size_t conversation::take_whole_requests(time_point now, std::size_t requests_max) {
    if (!has_foreseen()) {
        look_ahead(requests_max);
        if (ahead_count_ > 1) {  // for one, asking comes too late to help
            expect_keys();
            engine_.fetch_expected();
        }
    }
    const auto count = std::min(std::exchange(ahead_count_, 0), requests_max);
    if (count == 0) {
        return 0;
    }
    speak_resp();
    frames_.took_whole();
    arguments all = arguments_;
    std::size_t done = 0;
    do {
        engine_.execute(all.first(ahead_[done].arguments), peer_, output_, now);
        all = all.subspan(ahead_[done].arguments);
        input_.consume(ahead_[done++].size);
        // What changes how the next ones are to be read has them read again.
    } while (done < count && open() && !parked() && !has_done_enough() && !peer_.stranger &&
             engine_.settings_changed() == ahead_settings_);
    return done;
}

// Executes one request; false when there is none.
bool conversation::take_request(time_point now) {
    const bool is_array = input_.view().starts_with('*');  // a line is overwritten when it is read
    const auto next = frames_.next(input_.bytes(), arguments_);
    if (next.what == frame::kind::incomplete) {
        return false;
    }
    if (is_array) {
        speak_resp();
    }
    switch (next.what) {
        case frame::kind::incomplete:
        case frame::kind::empty:
        case frame::kind::skipped:
            break;
        case frame::kind::array:
        case frame::kind::line:
            engine_.execute(arguments_, peer_, output_, now);
            break;
        case frame::kind::refused:
            refuse(error::kind::refused);
            break;
        case frame::kind::malformed:
            refuse(error::kind::form);
            break;
        case frame::kind::broken:
            refuse(error::kind::form);
            peer_.leaving = true;
            break;
        case frame::kind::foreign:
            foreign_ = true;
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
    engine_.refuse({what, "ERR", frames_.reason()}, peer_, output_);
}

// The input buffer follows what arrives: it doubles while every receive fills it and halves after a
// row of receives that left most of it empty. What a long request needed beyond that goes at once.
void conversation::fit_input() {
    // Arguments that a connection keeps room for between requests.
    constexpr std::size_t arguments_kept_max = ahead_max * frame_reader::whole_arguments_max;
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
    fit_input_to(wanted);
}

void conversation::tidy() {
    ahead_count_ = 0;
    arguments_ = argument_list(arguments_.get_allocator());
    small_receives_ = 0;
    fit_input_to(idle_capacity());
}

std::size_t conversation::idle_capacity() const noexcept {
    return std::max(limits_.input_bytes_initial, input_.size());
}

void conversation::fit_input_to(std::size_t capacity) {
    if (capacity == input_.capacity() || capacity < input_.size()) {
        return;
    }
    try {
        input_.set_capacity(capacity);
    } catch (const std::bad_alloc&) {
        return;  // the old size serves too
    }
}

}  // namespace butterdb
