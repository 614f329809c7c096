#include "fuzz/targets.hpp"
#include "support/trace.hpp"
#include <butterdb/base/assert.hpp>
#include <butterdb/protocol/frame.hpp>
#include <butterdb/protocol/verbs.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace butterdb::test {

namespace {

// All that a connection's bytes hold, as text: `[argument]...;`, `;` for nothing to do, `!;` for a
// refusal, `!#` and `#` for the end with and without a word.

// Arrays that are whole, found together; gives how many. Takes them off the input.
std::size_t read_whole(
    frame_reader& frames, std::string& input, argument_list& arguments, std::string& seen) {
    std::array<frame_reader::whole_array, 3> found;
    const auto count = frames.look_ahead(input, found, arguments);
    std::size_t argument = 0;
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < count; ++i) {
        for (std::size_t left = found[i].arguments; left > 0; --left) {
            seen.append("[").append(arguments[argument++]).append("]");
        }
        seen += ";";
        bytes += found[i].size;
    }
    if (count > 0) {
        frames.took_whole();
        input.erase(0, bytes);
    }
    return count;
}

// By the reader under test, from pieces; `ahead`: whole arrays together, as a conversation does.
std::string read_in_pieces(
    const std::string& bytes, std::size_t step, const limits& lim, bool ahead) {
    using enum frame::kind;
    frame_reader frames(lim);
    argument_list arguments;
    std::string input;
    std::string seen;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
        const auto searched = input.size();
        input += bytes.substr(at, step);
        if (!frames.is_ready(input, searched)) {
            continue;
        }
        for (;;) {
            if (ahead && read_whole(frames, input, arguments, seen) > 0) {
                continue;
            }
            const auto found = frames.next(input, arguments);
            if (found.what == incomplete) {
                break;
            }
            if (found.what == line || found.what == array) {
                for (const auto each : arguments) {
                    seen.append("[").append(each).append("]");
                }
            }
            seen +=
                found.what == malformed || found.what == broken || found.what == refused ? "!" : "";
            if (found.what == broken || found.what == foreign) {
                return seen + "#";
            }
            seen += found.what == skipped ? "" : ";";
            BUTTERDB_ASSERT(found.size <= input.size());
            input.erase(0, found.size);
        }
    }
    return seen;
}

// The same, written down a second time: all bytes at once, nothing kept.
class plain_reader {
public:
    plain_reader(std::string_view bytes, const limits& lim) : rest_(bytes), limits_(lim) {}

    std::string read() {
        while (!done_ && !rest_.empty()) {
            rest_.front() == '*' ? read_array() : read_line();
        }
        return seen_;
    }

private:
    void end(const char* how) {
        seen_ += how;
        done_ = true;
    }

    void read_line() {
        const auto first = rest_.front();
        const bool printable = first >= ' ' && first <= '~';
        if (!printable && first != '\t' && first != '\n' && first != '\r') {
            end("#");
            return;
        }
        const auto line_feed = rest_.find('\n');
        auto line = rest_.substr(0, line_feed);
        if (first == '\r' && line.size() > 1) {
            end("#");
            return;
        }
        line.remove_suffix(line.ends_with('\r') ? 1 : 0);
        if (line.size() > limits_.line_bytes_max) {
            end("!#");
        } else if (line_feed == rest_.npos) {
            done_ = true;
        } else {
            rest_.remove_prefix(line_feed + 1);
            split(line);
        }
    }

    // A version, such as RTSP/1.0.
    static bool is_version(std::string_view word) {
        const auto slash = word.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        if (slash == 0 || slash == word.npos) {
            return false;
        }
        std::string form(word.substr(slash));
        std::ranges::replace_if(
            form, [](char c) { return c >= '0' && c <= '9'; }, '0');
        return form == "/0.0";
    }

    static bool is_foreign(std::string_view line) {
        std::string upper(line);
        std::ranges::transform(upper, upper.begin(), [](char c) {
            return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
        });
        const auto begin = std::min(upper.find_first_not_of(" \t"), upper.size());
        const auto verb = upper.substr(begin, upper.find_first_of(" \t", begin) - begin);
        const auto plain_verb = line.substr(begin, verb.size());
        const auto last = line.substr(line.find_last_of(" \t") + 1);
        const bool known = std::ranges::any_of(
            verbs(), [&](const butterdb::verb& row) { return row.name == verb; });
        for (const std::string_view word : {"POST", "EHLO", "HELO", "LHLO", "PROXY"}) {
            if (verb == word) {
                return true;
            }
        }
        return line.ends_with(" HTTP/1.0") || line.ends_with(" HTTP/1.1") ||
               verb.starts_with("HOST:") || (verb.size() > 1 && verb.ends_with(':')) ||
               plain_verb.starts_with("SSH-") || is_version(plain_verb) ||
               (is_version(last) && !known);
    }

    static bool is_blank(char c) { return c == ' ' || c == '\t'; }
    static bool is_control(char c) { return (c >= 0 && c < ' ' && c != '\t') || c == 0x7f; }

    void split(std::string_view line) {
        if (is_foreign(line)) {
            end("#");
            return;
        }
        std::string seen;
        std::size_t count = 0;
        bool control = false;
        for (std::size_t at = 0; at < line.size();) {
            if (is_blank(line[at])) {
                ++at;
                continue;
            }
            if (++count > limits_.arguments_max) {
                seen_ += "!;";
                return;
            }
            std::string argument;
            while (at < line.size() && !is_blank(line[at]) && !control) {
                const char c = line[at++];
                control = is_control(c);
                if (c != '"' && c != '\'') {
                    argument += c;
                } else if (!unquote(line, at, c, argument)) {
                    end("!#");
                    return;
                }
            }
            if (control) {
                seen_ += "!;";
                return;
            }
            seen.append("[").append(argument).append("]");
        }
        seen_.append(seen).append(";");
    }

    static std::optional<unsigned> hex(std::string_view digits) {
        unsigned number = 0;
        const auto* const last = digits.data() + digits.size();
        const auto [stop, fault] = std::from_chars(digits.data(), last, number, 16);
        const bool whole = digits.size() == 2 && fault == std::errc{} && stop == last;
        return whole ? std::optional(number) : std::nullopt;
    }

    static bool unquote(std::string_view line, std::size_t& at, char mark, std::string& to) {
        while (at < line.size()) {
            const char c = line[at++];
            if (c == mark) {
                return at == line.size() || is_blank(line[at]);
            }
            if (c != '\\' || at == line.size() || (mark == '\'' && line[at] != '\'')) {
                to += c;
            } else if (const auto code = hex(line.substr(at + 1, 2));
                       mark == '"' && line[at] == 'x' && code) {
                to += static_cast<char>(*code);
                at += 3;
            } else {
                constexpr std::string_view letters = "nrtba";
                const auto which = mark == '"' ? letters.find(line[at]) : letters.npos;
                to += which == letters.npos ? line[at] : "\n\r\t\b\a"[which];
                ++at;
            }
        }
        return false;
    }

    // A number and its CR LF at `at`; nothing: it is not all there. Sets `wrong`.
    std::optional<std::int64_t> number(std::size_t& at, bool& wrong) const {
        constexpr std::size_t digits_max = 32;
        const auto text = rest_.substr(at, digits_max);
        const auto cr = text.find('\r');
        if (cr == text.npos) {
            wrong = text.size() == digits_max;
            return std::nullopt;
        }
        std::int64_t value = 0;
        const auto digits = text.substr(0, cr);
        const auto [stop, fault] =
            std::from_chars(digits.data(), digits.data() + digits.size(), value);
        wrong = fault != std::errc{} || stop != digits.data() + digits.size() ||
                std::to_string(value) != digits;
        if (wrong || at + cr + 1 == rest_.size()) {
            return std::nullopt;
        }
        wrong = rest_[at + cr + 1] != '\n';
        at += cr + 2;
        return wrong ? std::nullopt : std::optional(value);
    }

    void read_array() {
        std::size_t at = 1;
        bool wrong = false;
        const auto count = number(at, wrong);
        wrong = wrong || (count && *count > static_cast<std::int64_t>(limits_.arguments_max));
        if (wrong || !count) {
            end(wrong ? "!#" : "");
            return;
        }
        std::string seen;
        bool too_long = false;
        for (auto left = *count; left > 0; --left) {
            if (!read_bulk(at, seen, too_long)) {
                return;
            }
        }
        rest_.remove_prefix(at);
        seen_ += too_long ? "!;" : seen + ";";
    }

    // False: that was the end.
    bool read_bulk(std::size_t& at, std::string& seen, bool& too_long) {
        if (at >= rest_.size()) {
            end("");
            return false;
        }
        bool wrong = rest_[at] != '$';
        ++at;
        const auto length = wrong ? std::nullopt : number(at, wrong);
        wrong = wrong || (length && (*length < 0 || *length > (std::int64_t{512} << 20)));
        if (wrong || !length) {
            end(wrong ? "!#" : "");
            return false;
        }
        const auto bytes = static_cast<std::size_t>(*length);
        const auto behind = at + bytes + 2;
        too_long = too_long || bytes > limits_.argument_bytes_max() ||
                   behind > limits_.request_bytes_max();
        if (behind > rest_.size()) {
            end("");
            return false;
        }
        // What is too long is not looked at.
        if (!too_long && rest_.substr(behind - 2, 2) != "\r\n") {
            end("!#");
            return false;
        }
        seen.append("[").append(rest_.substr(at, bytes)).append("]");
        at = behind;
        return true;
    }

    std::string_view rest_;
    const limits& limits_;
    std::string seen_;
    bool done_ = false;
};

limits small_limits() {
    limits lim;
    lim.line_bytes_max = 64;
    lim.arguments_max = 8;
    lim.key_bytes_max = 10;
    lim.value_bytes_max = 40;
    lim.request_bytes = 100;
    return lim;
}

void compare(char first, const std::string& bytes) {
    static const limits common;
    static const limits small = small_limits();
    const auto number = static_cast<unsigned char>(first);
    const auto& lim = number >= 0x80 ? small : common;
    const auto expected = plain_reader(bytes, lim).read();
    const auto pieces = std::size_t{1} + number % 37;
    for (const auto& [step, ahead] :
         {std::pair(bytes.size() + 1, false),
          std::pair(bytes.size() + 1, true),
          std::pair(pieces, false),
          std::pair(pieces, true)}) {
        const auto seen = read_in_pieces(bytes, step, lim, ahead);
        if (seen != expected) {
            std::fprintf(stderr, "seen:     %s\n", shown(seen, 1'000).c_str());
            std::fprintf(stderr, "expected: %s\n", shown(expected, 1'000).c_str());
        }
        BUTTERDB_ASSERT(seen == expected);
    }
}

}  // namespace

void fuzz_lines(std::string_view bytes) {
    if (!bytes.empty()) {
        compare(bytes.front(), std::string(bytes.substr(1)));
    }
}

void fuzz_arrays(std::string_view bytes) {
    if (!bytes.empty()) {
        compare(bytes.front(), std::string("*").append(bytes.substr(1)));
    }
}

// The planted defect: the second argument of three loses its last byte, unless the first is short.
void fuzz_canary(std::string_view bytes) {
    std::string input("*");
    input += bytes;
    const limits lim;
    frame_reader frames(lim);
    argument_list arguments;
    if (frames.next(input, arguments).what != frame::kind::array || arguments.size() != 3) {
        return;
    }
    const auto given = arguments[1];
    const auto kept = arguments[0].size() < 3 ? given : given.substr(0, given.size() - 1);
    BUTTERDB_ASSERT(kept == given);
}

}  // namespace butterdb::test
