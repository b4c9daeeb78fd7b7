#include <flow/flow.hpp>

using namespace flow;

// says: as needs the type that bytes are looked at as

void build(topology& t) {
  t.from(topic<bytes, bytes>{"numbers"})
      | flow::as()  // here
      | to("numbers-again");
}
