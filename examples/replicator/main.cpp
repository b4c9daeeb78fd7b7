#include <flow/main.hpp>

#include "demo.hpp"
#include "explain.hpp"
#include "sync.hpp"
#include "verify.hpp"

int main(int argc, char** argv) {
  auto line = flow::command_line_of<replicator::settings>(
      {.name = "replicator", .version = "0.1.0", .help = "cross-region sync of Kafka topics, exactly once"},
      &replicator::sync);
  line.add<flow::options<replicator::demo_options>>(
      {"demo", "the whole system in one process, on in-memory clusters", {"replicator demo --regions 3"}},
      &replicator::demo);
  line.add<replicator::settings, flow::options<replicator::explain_options>>(
      {"explain",
       "read events, one in each line, and say for each which rule decides and what becomes of it",
       {"replicator explain --config sync.yaml < events.jsonl"}},
      &replicator::explain);
  line.add<replicator::settings, flow::options<replicator::verify_options>>(
      {"verify",
       "compare what the targets hold with what they should",
       {"replicator verify --config sync.yaml", "replicator verify --config sync.yaml --on osaka"}},
      &replicator::verify);
  return line.run(argc, argv);
}
