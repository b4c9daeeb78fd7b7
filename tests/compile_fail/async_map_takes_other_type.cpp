#include <flow/flow.hpp>

using namespace flow;

// says: the function takes neither the value of this stream, nor (key, value), nor the record

void build(topology& t) {
  t.from(topic<bytes, int>{"numbers"})
      | async_map("ask", [](const std::string& text) { return text; })  // here
      | to("numbers-again");
}
