#include <flow/flow.hpp>

using namespace flow;

// says: a partition is automatic, kept or by_key

void build(topology& t) {
  t.from(topic<bytes, int>{"numbers"})
      | to("numbers-again", {.partition = "key"});  // here
}
