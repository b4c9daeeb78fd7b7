#include <flow/flow.hpp>

using namespace flow;

struct total {
  int n;
};

struct counter {
  using state = total;
  using output = int;
  void operator()(const record<std::string, int>& r, process_context<counter>& here) const { here.emit(r.value()); }
};

// says: the value's type has no codec

void build(topology& t) {
  t.from(topic<std::string, int>{"numbers"})
      | process("counts", counter{})  // here
      | to("numbers-again");
}
