#include <flow/flow.hpp>

using namespace flow;

struct id {
  int n;
};

// says: dedup needs an id that a codec can write

void build(topology& t) {
  t.from(topic<bytes, std::string>{"events"})
      | flow::dedup("seen", [](const std::string&) { return id{1}; }, std::chrono::hours{24})  // here
      | to("events-once");
}
