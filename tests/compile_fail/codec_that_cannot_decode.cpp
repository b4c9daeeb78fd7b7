#include <flow/flow.hpp>

using namespace flow;

// says: a value codec has V decode(bytes) const and bytes encode(const V&, std::string&) const

struct order {
  int cents;
};
struct json {};

void build(topology& t) {
  t.from(topic<bytes, order>{"orders", codec<bytes>{}, json{}})  // here
      | flow::for_each([](const order&) {});
}
