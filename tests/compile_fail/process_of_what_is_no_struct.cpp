#include <flow/flow.hpp>

using namespace flow;

// says: process needs a struct P that names its types `state` and `output`

void build(topology& t) {
  t.from(topic<std::string, int>{"numbers"})
      | process("counts", [](int n) { return n; })  // here
      | to("numbers-again");
}
