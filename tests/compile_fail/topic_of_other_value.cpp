#include <string>

#include <flow/flow.hpp>

using namespace flow;

// says: the topic's value type is not the stream's

void build(topology& t) {
  t.from(topic<bytes, int>{"numbers"})
      | to(topic<bytes, std::string>{"lines"});  // here
}
