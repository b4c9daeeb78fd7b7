#include "demand.hpp"

#include "engine/position.hpp"

// Records of the lanes topic of any bytes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace flow;
  using namespace flow::engine;
  const std::string_view record{reinterpret_cast<const char*>(data), size};
  const bool is_newer = size > 0 && static_cast<char>(data[0]) > 1;

  const auto at = decode_position(record);
  if (at) flow::demand(decode_position(encode(*at)) == *at, "a position stays what it is");
  const auto claimed = decode_claim(record);
  if (claimed) flow::demand(encode(*claimed) == record, "a claim has one way to be written");
  flow::demand(!at || !claimed, "a record is a claim or a position");
  for (const auto& why :
       {at ? std::optional<failure>{} : at.error(), claimed ? std::optional<failure>{} : claimed.error()})
    if (why)
      flow::demand(why->kind == (is_newer ? failure_kind::refused : failure_kind::corrupt),
                   "what is newer is refused, what is damaged is corrupt");
  return 0;
}
