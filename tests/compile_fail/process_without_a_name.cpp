#include <flow/flow.hpp>

using namespace flow;

struct counter {
  using state = int;
  using output = int;
  void operator()(const record<std::string, int>& r, process_context<counter>& here) const { here.emit(r.value()); }
};

// says: process needs a name first, since it stands on disk: process("sessions", P{})

void build(topology& t) {
  t.from(topic<std::string, int>{"numbers"})
      | process(counter{})  // here
      | to("numbers-again");
}
