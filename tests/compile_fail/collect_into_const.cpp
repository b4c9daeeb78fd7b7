#include <vector>

#include <flow/flow.hpp>

using namespace flow;

// says: collect adds to its container, so that is neither const nor of a fixed size

void build(topology& t, const std::vector<int>& numbers) {
  t.from(topic<bytes, int>{"numbers"})
      | collect(numbers);  // here
}
