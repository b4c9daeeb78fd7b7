#include <flow/flow.hpp>

using namespace flow;

// says: with_header needs the header's key first

void build(topology& t) {
  t.from(topic<bytes, std::string>{"names"})
      | flow::with_header([](const std::string& name) { return name; })  // here
      | to("names-again");
}
