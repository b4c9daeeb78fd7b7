#include <string>

#include <flow/flow.hpp>

using namespace flow;

// says: the function takes neither the value of this stream, nor (key, value), nor the record

void build(topology& t) {
  auto numbers = t.from(topic<bytes, int>{"numbers"});
  numbers = numbers | flow::filter([](const std::string& text) { return text.empty(); });  // here
  numbers | to("numbers-again");
}
