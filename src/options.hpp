#pragma once

#include <butterdb/base/limits.hpp>
#include <butterdb/net/listener.hpp>
#include <butterdb/net/log.hpp>
#include <butterdb/net/password.hpp>
#include <butterdb/store/store.hpp>

#include <optional>
#include <string>
#include <vector>

namespace butterdb {

/// What the server was asked to do.
struct options {
    listen_options listen;
    limits bounds;
    eviction evict = eviction::none;
    log_level log = log_level::info;
    std::optional<password> admits;     ///< empty: clients need none
    std::vector<std::string> warnings;  ///< that the log should show at the start
};

/// The command line asks for something to be printed (help, version, configuration), or is wrong.
struct early_exit {
    int status;  ///< 0, 1: a file that cannot be read, 2: wrong usage
    std::string text;
};

/// Reads the command line, then the environment (`BUTTERDB_PORT` for `--port`), then the file named
/// by `--config` or `BUTTERDB_CONFIG`: what comes first wins. Throws early_exit.
options read_options(int argc, const char* const* argv);

}  // namespace butterdb
