#include <flow/flow.hpp>

using namespace flow;

struct counter {
  using state = std::optional<int>;
  using output = int;
  void operator()(const record<std::string, int>& r, process_context<counter>& here) const { here.emit(r.value()); }
};

// says: what a process keeps is optional as it is

void build(topology& t) {
  t.from(topic<std::string, int>{"numbers"})
      | process("counts", counter{})  // here
      | to("numbers-again");
}
