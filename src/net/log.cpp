#include <butterdb/net/log.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cstddef>
#include <cstdio>
#include <ctime>

namespace butterdb {

namespace {

// A longer line is cut: a pipe takes so many bytes together or none of them.
constexpr std::size_t line_bytes_max = PIPE_BUF;

// Opens a pipe or a terminal behind stderr once more, to write without waiting. Setting O_NONBLOCK
// on stderr itself would change it for every process that shares it. Returns stderr where opening
// it again is impossible or useless.
int open_stderr() noexcept {
    struct stat status {};
    const bool may_block = ::fstat(STDERR_FILENO, &status) == 0 &&
                           (S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode));
    const int opened =
        may_block ? ::open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC) : -1;
    return opened < 0 ? STDERR_FILENO : opened;
}

bool is_ready(int descriptor) noexcept {
    pollfd asked{descriptor, POLLOUT, 0};
    return ::poll(&asked, 1, 0) == 1 && (asked.revents & POLLOUT) != 0;
}

// Returns how many bytes were written without waiting, or a negative number.
ssize_t write_now(int descriptor, std::string_view bytes) noexcept {
    auto written = ::send(descriptor, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (written < 0 && errno == ENOTSOCK && is_ready(descriptor)) {
        written = ::write(descriptor, bytes.data(), bytes.size());
    }
    return written;
}

}  // namespace

std::string_view name_of(log_level level) noexcept {
    switch (level) {
        case log_level::none:
            return "none";
        case log_level::error:
            return "error";
        case log_level::warning:
            return "warning";
        case log_level::info:
            break;
    }
    return "info";
}

logger::logger(log_level most) noexcept : most_(most), descriptor_(open_stderr()) {}

logger::~logger() {
    if (descriptor_ != STDERR_FILENO) {
        ::close(descriptor_);
    }
}

void logger::write(log_level level, std::string_view text, std::string_view more) const {
    if (level > most_) {
        return;
    }
    if (!report_lost() || !write_line(level, text, more)) {
        ++lost_;
    }
}

// Returns true when no line is lost any more, or the log says how many were.
bool logger::report_lost() const noexcept {
    if (lost_ == 0) {
        return true;
    }
    std::array<char, 24> count{};
    std::snprintf(count.data(), count.size(), "%llu", static_cast<unsigned long long>(lost_));
    if (!write_line(log_level::warning, "lines of this log lost, unread: ", count.data())) {
        return false;
    }
    lost_ = 0;
    return true;
}

bool logger::write_line(
    log_level level, std::string_view text, std::string_view more) const noexcept {
    using std::chrono::system_clock;
    const auto now = system_clock::now();
    const auto seconds = std::chrono::floor<std::chrono::seconds>(now);
    const auto millis = std::chrono::duration_cast<std::chrono::milliseconds>(now - seconds);
    const std::time_t since_epoch = system_clock::to_time_t(seconds);
    std::tm utc{};
    gmtime_r(&since_epoch, &utc);
    std::array<char, 32> stamp{};
    std::strftime(stamp.data(), stamp.size(), "%Y-%m-%dT%H:%M:%S", &utc);
    std::array<char, line_bytes_max + 1> line{};
    const auto needed = std::snprintf(
        line.data(),
        line.size(),
        "%s%s.%03dZ %s %.*s%.*s\n",
        is_cut_short_ ? "\n" : "",
        stamp.data(),
        static_cast<int>(millis.count()),
        name_of(level).data(),
        static_cast<int>(text.size()),
        text.data(),
        static_cast<int>(more.size()),
        more.data());
    const auto size = std::min(static_cast<std::size_t>(std::max(needed, 0)), line_bytes_max);
    line.at(size == 0 ? 0 : size - 1) = '\n';
    const auto written = write_now(descriptor_, {line.data(), size});
    if (written > 0) {
        is_cut_short_ = static_cast<std::size_t>(written) < size;
    }
    return written > 0 && !is_cut_short_;
}

}  // namespace butterdb
