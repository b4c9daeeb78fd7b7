#include <flow/flow.hpp>

using namespace flow;

// says: time needs milliseconds since 1970 UTC, or a std::chrono time point of the system clock

void build(topology& t) {
  t.from(topic<bytes, std::string>{"events"}, {.time = [](const std::string& event) { return event.substr(0, 24); }})  // here
      | to("events-again");
}
