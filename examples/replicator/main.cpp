#include <flow/main.hpp>

#include "demo.hpp"
#include "sync.hpp"

int main(int argc, char** argv) {
  auto line = flow::command_line_of<replicator::settings>(
      {.name = "replicator", .version = "0.1.0", .help = "cross-region sync of Kafka topics, exactly once"},
      &replicator::sync);
  line.add<flow::options<replicator::demo_options>>(
      {"demo", "the whole system in one process, on in-memory clusters", {"replicator demo --regions 3"}},
      &replicator::demo);
  return line.run(argc, argv);
}
