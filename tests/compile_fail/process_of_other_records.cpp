#include <flow/flow.hpp>

using namespace flow;

struct counter {
  using state = int;
  using output = int;
  void operator()(const record<int, int>& r, process_context<counter>& here) const { here.emit(r.value()); }
};

// says: process P needs `void operator()(const record<K, V>&, process_context<P>&) const` for the records of this stream

void build(topology& t) {
  t.from(topic<std::string, int>{"numbers"})
      | process("counts", counter{})  // here
      | to("numbers-again");
}
