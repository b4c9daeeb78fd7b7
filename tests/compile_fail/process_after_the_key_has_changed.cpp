#include <flow/flow.hpp>

using namespace flow;

struct counter {
  using state = int;
  using output = int;
  void operator()(const record<int, int>& r, process_context<counter>& here) const { here.emit(r.value()); }
};

// says: process keeps something by key, and the key has changed since it was placed: let a repartition("name") come before it

void build(topology& t) {
  t.from(topic<std::string, int>{"numbers"})
      | key_by([](int n) { return n % 10; })
      | process("counts", counter{})  // here
      | to("numbers-again");
}
