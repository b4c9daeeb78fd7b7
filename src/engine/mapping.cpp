#include "mapping.hpp"

#include <xxhash.h>

namespace flow::engine {

const mapping& spread() {
  static constexpr mapping it{"spread-1", [](const topic_partition& where, std::int32_t tasks) {
    const auto start = XXH64(where.topic.data(), where.topic.size(), 0) % static_cast<std::uint64_t>(tasks);
    return static_cast<std::int32_t>((start + static_cast<std::uint64_t>(where.partition)) %
                                     static_cast<std::uint64_t>(tasks));
  }};
  return it;
}

const mapping& by_number() {
  static constexpr mapping it{
      "number-1", [](const topic_partition& where, std::int32_t tasks) { return where.partition % tasks; }};
  return it;
}

}  // namespace flow::engine
