#include <flow/flow.hpp>

using namespace flow;

// says: with_header needs the header's value: text, or a function of the record

void build(topology& t) {
  t.from(topic<bytes, std::string>{"names"})
      | flow::with_header("version", 2)  // here
      | to("names-again");
}
