#include "demand.hpp"
#include "values.hpp"

// Values of the state directory of any bytes; the first eight stand for what is behind the prefix of a key.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace flow;
  using namespace flow::database;
  const std::string_view all{reinterpret_cast<const char*>(data), size};
  const auto key = all.substr(0, 8);
  const auto value = all.substr(key.size());
  const topic_partition where{"orders", 3};
  if (const auto page = seen_page_of("seen", where, key, value)) {
    demand(value_of(*page) == value, "a page has one way to be written");
    demand(key_of(*page) == prefix_of("seen", where) + std::string{key}, "so has its key");
  }
  if (const auto lane = lane_state_of(value)) demand(value_of(*lane) == value, "so has a lane");
  return 0;
}
