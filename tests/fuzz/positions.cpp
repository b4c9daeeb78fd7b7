#include "demand.hpp"
#include "engine/position.hpp"

// Records of the lanes topic, and commands to lanes, of any bytes.
namespace {

using namespace flow;

constexpr unsigned char newest_format = 3;

/// What is read says the same when it is written and read again; what is not is refused for one reason or the other.
template <typename T>
void try_to_read(std::string_view record, result<T> (*decode)(std::string_view)) {
  const auto found = decode(record);
  if (found) return demand(decode(encode(*found)) == *found, "what was read stays what it is");
  const bool is_newer = !record.empty() && static_cast<unsigned char>(record.front()) > newest_format &&
                        static_cast<signed char>(record.front()) > 0;
  demand(found.error().kind == (is_newer ? failure_kind::refused : failure_kind::corrupt),
         "what is newer is refused, what is damaged is corrupt");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view record{reinterpret_cast<const char*>(data), size};
  try_to_read(record, &engine::decode_position);
  try_to_read(record, &engine::decode_claim);
  try_to_read(record, &engine::decode_command);
  return 0;
}
