#include <flow/flow.hpp>

using namespace flow;

// says: rename needs a function that returns a topic's name

void build(topology& t) {
  t.from(topic<bytes, std::string>{"names"})
      | flow::fan_out("regions", {"tokyo"}).rename([](const std::string& name) { return name.size(); });  // here
}
