#include <flow/flow.hpp>

using namespace flow;

// says: ordered_sink needs a name first, since it stands on disk: ordered_sink("crm", where)

void build(topology& t) {
  t.from(topic<bytes, int>{"numbers"})
      | ordered_sink([](const delivery&) {});  // here
}
