#include <string>

#include <flow/flow.hpp>

using namespace flow;

// says: this handle is on a stream of other types; give the new one a handle of its own: auto renamed = ...

void build(topology& t) {
  auto numbers = t.from(topic<bytes, int>{"numbers"});
  numbers = t.from(topic<bytes, std::string>{"texts"});  // here
  numbers | to("numbers-again");
}
