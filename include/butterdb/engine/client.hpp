#pragma once

#include <cstdint>

namespace butterdb {

/// What the engine knows of the client that sent a command.
struct client {
    std::uint64_t id = 0;
    bool leaving = false;  ///< set by QUIT and EXIT: nothing that follows is executed
};

}  // namespace butterdb
