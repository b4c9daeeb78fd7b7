#include <vector>

#include "demand.hpp"

#include <flow/dead_letter.hpp>

// Headers of any bytes: names and values, with zeros between; the name "null" has none.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace flow;
  std::string_view rest{reinterpret_cast<const char*>(data), size};
  std::vector<header> headers;
  while (!rest.empty()) {
    const auto name = take(rest);
    headers.push_back({name, name == "null" ? bytes{} : bytes{take(rest)}});
  }
  arena room;
  const auto found = read_letter(headers);
  const auto own = without_letter(headers, room);
  for (const auto& each : own) demand(!each.key.starts_with("flow."), "nothing of flow is left");
  demand(own.size() <= headers.size(), "nothing is added");
  if (found) demand(headers.size() >= 9 && own.size() + 9 <= headers.size(), "a letter says nine things");

  const letter what{.node = "map-1",
                    .reason = letter_reason::failed,
                    .text = "no",
                    .from = {"home", "orders", 3, 7},
                    .attempts = 2,
                    .time = 5};
  const auto again = headers_of(what, headers, room);
  const auto read = read_letter(again);
  demand(read && read->node == what.node && read->text == what.text && read->from.topic == what.from.topic &&
             read->from.partition == 3 && read->from.offset == 7 && read->time == 5,
         "what is written is read");
  demand(read->attempts >= 2, "attempts only grow");
  const auto stripped = without_letter(again, room);
  demand(std::equal(stripped.begin(), stripped.end(), own.begin(), own.end(),
                    [](const header& a, const header& b) { return a.key == b.key && a.value == b.value; }),
         "its own headers stay as they were, in their order");
  return 0;
}
