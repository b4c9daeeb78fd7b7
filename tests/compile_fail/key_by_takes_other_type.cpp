#include <string>

#include <flow/flow.hpp>

using namespace flow;

// says: the function takes neither the value of this stream, nor (key, value), nor the record

struct order {
  std::string region;
};

void build(topology& t) {
  t.from(topic<bytes, int>{"numbers"})
      | key_by(&order::region)  // here
      | to("by-region");
}
