#include <flow/flow.hpp>

using namespace flow;

struct order {
  std::string tenant;
};

// says: the function takes neither the value of this stream, nor (key, value), nor the record

void build(topology& t) {
  t.from(topic<bytes, std::string>{"names"})
      | flow::with_header("tenant", &order::tenant)  // here
      | to("names-again");
}
