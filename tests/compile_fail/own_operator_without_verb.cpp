#include <flow/flow.hpp>

using namespace flow;

// says: an operator has `static constexpr std::string_view verb`

struct twice : op<twice> {
  template <typename In>
  static consteval auto out() {
    return In{};
  }
  void operator()(auto&& r, auto& next) const { next(std::move(r)); }
};

void build(topology& t) {
  t.from(topic<bytes, int>{"numbers"})
      | twice{}  // here
      | to("numbers-again");
}
