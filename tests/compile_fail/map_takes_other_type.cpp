#include <flow/flow.hpp>

using namespace flow;

// says: the function takes neither the value of this stream, nor (key, value), nor the record

struct order {};
struct customer {};

int age(const customer&);

void build(topology& t) {
  t.from(topic<bytes, int>{"numbers"})
      | flow::map(age)  // here
      | to("ages");
}
