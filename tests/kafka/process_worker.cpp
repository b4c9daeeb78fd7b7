#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string>
#include <thread>

#include <flow/app.hpp>
#include <flow/flow.hpp>

/// A process of its own that numbers the records of each key, for a test to kill. It ends when its input does.
namespace {

struct numbering {
  using state = std::int64_t;
  using output = std::string;
  void operator()(const flow::record<std::string, std::string>& r, flow::process_context<numbering>& here) const {
    here.state() = here.state().value_or(0) + 1;
    here.emit(r.value() + " is " + std::to_string(*here.state()));
    here.call_after(std::chrono::seconds{3});
  }
  void on_wall_clock(const std::string& key, flow::process_context<numbering>& here) const {
    here.emit(key + " has " + std::to_string(*here.state()));
  }
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 7) return 2;
  const std::string name = argv[1], source = argv[2], home = argv[3], tokyo = argv[4], state = argv[5];
  flow::topology t{name};
  t.from(flow::topic<std::string, std::string>{source}) | flow::process("numbers", numbering{}) |
      flow::to(flow::topic<std::string, std::string>{source + "-numbered"}, {.cluster = "tokyo"});
  flow::app app{t,
                {.instance = argv[6],
                 .clusters = {{"home", {{"bootstrap.servers", home}}}, {"tokyo", {{"bootstrap.servers", tokyo}}}},
                 .state = state,
                 .lanes = 3,
                 .session = std::chrono::seconds{6}}};
  if (const auto started = app.start(); !started) {
    std::cerr << to_string(started.error()) << "\n";
    return 1;
  }
  std::cin.get();
  return app.stop(std::chrono::seconds{30}) ? 0 : 1;
}
