#include <flow/flow.hpp>

using namespace flow;

// says: dedup needs a name first

void build(topology& t) {
  t.from(topic<bytes, std::string>{"events"})
      | flow::dedup([](const std::string& id) { return id; }, std::chrono::hours{24})  // here
      | to("events-once");
}
