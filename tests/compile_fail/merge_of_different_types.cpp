#include <string>

#include <flow/flow.hpp>

using namespace flow;

// says: merge joins streams of the same key and value types; map them to one type first

void build(topology& t) {
  auto numbers = t.from(topic<bytes, int>{"numbers"});
  auto lines = t.from(topic<bytes, std::string>{"lines"});
  flow::merge(numbers, lines)  // here
      | to("all");
}
