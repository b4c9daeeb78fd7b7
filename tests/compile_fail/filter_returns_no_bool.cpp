#include <string>

#include <flow/flow.hpp>

using namespace flow;

// says: the predicate does not return a bool

void build(topology& t) {
  t.from(topic<bytes, std::string>{"lines"})
      | flow::filter([](const std::string& l) { return l; })  // here
      | to("lines-kept");
}
