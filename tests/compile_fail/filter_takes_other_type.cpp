#include <string>

#include <flow/flow.hpp>

using namespace flow;

// says: the function takes neither the value of this stream, nor (key, value), nor the record

void build(topology& t) {
  t.from(topic<bytes, std::string>{"lines"})
      | flow::filter([](int n) { return n > 0; })  // here
      | to("positive");
}
