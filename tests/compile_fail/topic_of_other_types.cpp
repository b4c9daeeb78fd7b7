#include <string>

#include <flow/flow.hpp>

using namespace flow;

// says: the topic's key and value types are not the stream's

void build(topology& t) {
  t.from(topic<bytes, int>{"numbers"})
      | to(topic<int, std::string>{"numbers-again"});  // here
}
