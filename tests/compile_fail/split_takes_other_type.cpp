#include <string>

#include <flow/flow.hpp>

using namespace flow;

// says: the function takes neither the value of this stream, nor (key, value), nor the record

void build(topology& t) {
  auto [large, rest] = t.from(topic<bytes, int>{"numbers"})
      | split(when("large", [](const std::string& s) { return s.empty(); }), otherwise("rest"));  // here
  rest | to("rest");
  large | to("large");
}
