#pragma once

#include <cstddef>

namespace butterdb {

/// Opens /dev/null for standard streams that are closed, before their numbers go to something else.
/// For the beginning of `main`.
void reserve_standard_streams() noexcept;

/// Raises the soft limit of open descriptors to the hard one and gives what is in force then.
std::size_t raise_descriptor_limit();

/// Where a service is called butterdb, Kubernetes gives every program beside it an address in the
/// variable BUTTERDB_PORT, `tcp://10.0.0.1:9090`. True when it holds one, which has then been taken
/// out of the environment.
bool drop_service_link(const char* variable);

}  // namespace butterdb
