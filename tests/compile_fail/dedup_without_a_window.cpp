#include <string>

#include <flow/flow.hpp>

using namespace flow;

// says: dedup needs a name first, since it stands on disk, an id and a window: dedup("seen", &event::id, 24h)

void build(topology& t) {
  t.from(topic<bytes, std::string>{"events"})
      | flow::dedup("seen", [](const std::string& id) { return id; })  // here
      | to("events-once");
}
