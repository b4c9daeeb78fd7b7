#include <string>
#include <vector>

#include <flow/flow.hpp>

using namespace flow;

// says: fan_out needs a name first, since it stands on disk: fan_out("regions", clusters)

void build(topology& t, const std::vector<std::string>& clusters) {
  t.from(topic<bytes, int>{"numbers"})
      | fan_out(clusters);  // here
}
