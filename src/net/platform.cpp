#include <butterdb/net/platform.hpp>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string_view>
#include <system_error>

namespace butterdb {

void reserve_standard_streams() noexcept {
    int descriptor = 0;
    while (descriptor >= 0 && descriptor <= STDERR_FILENO) {
        descriptor = ::open("/dev/null", O_RDWR);
    }
    if (descriptor > STDERR_FILENO) {
        ::close(descriptor);
    }
}

std::size_t raise_descriptor_limit() {
    rlimit descriptors{};
    if (::getrlimit(RLIMIT_NOFILE, &descriptors) != 0) {
        throw std::system_error(errno, std::generic_category(), "getrlimit");
    }
    const auto before = descriptors.rlim_cur;
    descriptors.rlim_cur = descriptors.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &descriptors) != 0) {
        return before;
    }
    return descriptors.rlim_cur;
}

bool drop_service_link(const char* variable) {
    const char* const value = std::getenv(variable);
    const bool is_link =
        value != nullptr && std::string_view(value).find("://") != std::string_view::npos;
    if (is_link) {
        ::unsetenv(variable);
    }
    return is_link;
}

}  // namespace butterdb
