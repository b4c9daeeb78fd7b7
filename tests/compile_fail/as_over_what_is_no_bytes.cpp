#include <flow/flow.hpp>

using namespace flow;

// says: as<T> reads bytes, and this stream's values are more than that already

void build(topology& t) {
  t.from(topic<bytes, std::string>{"names"})
      | flow::as<int>()  // here
      | to("names-again");
}
