#include <string>

#include <flow/flow.hpp>

using namespace flow;

// says: an operator has `template <typename In> static consteval auto out()`

struct twice : op<twice> {
  static constexpr std::string_view verb = "twice";
  void operator()(auto&& r, auto& next) const { next(std::move(r)); }
};

void build(topology& t) {
  t.from(topic<bytes, int>{"numbers"})
      | twice{}  // here
      | to("numbers-again");
}
