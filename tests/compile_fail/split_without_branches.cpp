#include <flow/flow.hpp>

using namespace flow;

// says: split needs branches: split(when("large", is_large), otherwise("rest"))

void build(topology& t) {
  auto [all] = t.from(topic<bytes, int>{"numbers"}) | split();  // here
  all | to("all");
}
