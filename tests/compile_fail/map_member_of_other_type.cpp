#include <string>

#include <flow/flow.hpp>

using namespace flow;

// says: the function takes neither the value of this stream, nor (key, value), nor the record

struct order {
  int cents;
};

void build(topology& t) {
  t.from(topic<bytes, std::string>{"orders"})
      | flow::map(&order::cents)  // here
      | to("cents");
}
