#include <flow/flow.hpp>

using namespace flow;

struct tenant {
  int n;
};

// says: with_header needs a value that a codec can write

void build(topology& t) {
  t.from(topic<bytes, std::string>{"names"})
      | flow::with_header("tenant", [](const std::string&) { return tenant{1}; })  // here
      | to("names-again");
}
