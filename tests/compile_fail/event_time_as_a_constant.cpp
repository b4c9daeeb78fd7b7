#include <flow/flow.hpp>

using namespace flow;

// says: time needs a function of the record, or a member of its value

void build(topology& t) {
  t.from(topic<bytes, std::string>{"events"}, {.time = 1'700'000'000'000})  // here
      | to("events-again");
}
