#include <flow/flow.hpp>

using namespace flow;

struct order {
  std::int64_t placed_at;
};

// says: the function takes neither the value of this stream, nor (key, value), nor the record

void build(topology& t) {
  t.from(topic<bytes, std::string>{"events"}, {.time = &order::placed_at})  // here
      | to("events-again");
}
