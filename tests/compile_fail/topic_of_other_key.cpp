#include <string>

#include <flow/flow.hpp>

using namespace flow;

// says: the topic's key type is not the stream's

void build(topology& t) {
  t.from(topic<bytes, int>{"numbers"})
      | to(topic<std::string, int>{"lines"});  // here
}
