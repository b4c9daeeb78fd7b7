#include "demand.hpp"
#include "engine/shared_pages.hpp"

// Records of the topic by which dedups share what they have seen, of any bytes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace flow;
  const std::string_view record{reinterpret_cast<const char*>(data), size};
  const auto found = engine::decode_shared_page(record);
  if (found) {
    demand(*engine::decode_shared_page(encode(*found)) == *found, "what was read stays what it is");
    return 0;
  }
  const bool is_newer = !record.empty() && static_cast<signed char>(record.front()) > 1;
  demand(found.error().kind == (is_newer ? failure_kind::refused : failure_kind::corrupt),
         "what is newer is refused, what is damaged is corrupt");
  return 0;
}
