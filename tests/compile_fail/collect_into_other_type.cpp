#include <string>
#include <vector>

#include <flow/flow.hpp>

using namespace flow;

// says: collect needs a container of the stream's values, or of keyed<K, V>

void build(topology& t, std::vector<std::string>& lines) {
  t.from(topic<bytes, int>{"numbers"})
      | collect(lines);  // here
}
