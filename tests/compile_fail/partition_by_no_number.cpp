#include <flow/flow.hpp>

using namespace flow;

// says: partition_by needs a function that returns an integer

void build(topology& t) {
  t.from(topic<bytes, int>{"numbers"})
      | to("numbers-again").partition_by([](int n) { return std::to_string(n); });  // here
}
