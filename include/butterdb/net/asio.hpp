#pragma once

#include <asio/buffer.hpp>
#include <asio/error.hpp>
#include <asio/generic/stream_protocol.hpp>
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>

#include <chrono>

// The one place for names that depend on the version of Asio (1.22 to 1.38).

namespace butterdb {

/// The concrete executor of everything in net: no type erasure, no allocation per operation.
using executor = asio::io_context::executor_type;

/// A connected TCP or unix socket.
using stream_socket = asio::basic_stream_socket<asio::generic::stream_protocol, executor>;

/// The clock of time-outs. (Deadlines of entries are wall-clock time, see base/time.hpp.)
using steady = std::chrono::steady_clock;

using steady_timer = asio::basic_waitable_timer<steady, asio::wait_traits<steady>, executor>;

}  // namespace butterdb
