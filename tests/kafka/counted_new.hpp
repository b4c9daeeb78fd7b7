#pragma once

#include <cstddef>

namespace flow::kafka {

/// How often this program has called `operator new`, in all threads. librdkafka is C and does not come here.
std::size_t allocations();

}  // namespace flow::kafka
