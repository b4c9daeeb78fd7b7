#include <flow/flow.hpp>

using namespace flow;

struct report {
  int n;
};

template <>
struct flow::codec<report> {
  static bytes encode(const report& what, std::string& room) { return room = std::to_string(what.n); }
};

// says: what goes through a topic is read again: the codec of its values has to decode them

void build(topology& t) {
  t.from(topic<std::string, int>{"numbers"})
      | flow::map([](int n) { return report{n}; })
      | repartition("reports")  // here
      | to("reports-again");
}
