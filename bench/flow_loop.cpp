// flow_loop: what raw_loop does, as a topology. Same flags, same line of JSON.

#include <chrono>
#include <filesystem>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

#include <flow/app.hpp>
#include <flow/flow.hpp>

#include "flags.hpp"
#include "report.hpp"
#include "stop_signal.hpp"

namespace {

using namespace std::chrono_literals;

constexpr const char* usage =
    "flow_loop --home BROKERS --target BROKERS ... --source TOPIC --sink TOPIC [--records N] [--commit-ms 100]\n"
    "          [--payload-filter on|off] [--property K=V ...]\n";

flow::topology loop(const std::string& source, const std::string& sink, const std::vector<std::string>& targets,
                    bool filtered) {
  flow::topology t{sink};
  flow::stream records = t.from(flow::topic<flow::bytes, flow::bytes>{source});
  if (filtered) records = records | flow::filter("even", [](flow::bytes value) {
                  return !value.empty() && value.view().front() % 2 == 0;
                });
  records | flow::fan_out("targets", targets, {.rename = sink});
  return t;
}

int run(int argc, char** argv) {
  plain::stop_signal stop;
  plain::flags given{argc, argv};
  const auto home = given.text("home");
  const auto source = given.text("source");
  const auto sink = given.text("sink");
  const auto addresses = given.all("target");
  const auto wanted = given.number("records", std::int64_t{0});
  const auto commit = std::chrono::milliseconds{given.number("commit-ms", 100)};
  const bool filtered = given.text("payload-filter", "off") == "on";
  flow::cluster_properties properties;
  for (const auto& text : given.all("property"))
    properties[text.substr(0, text.find('='))] = text.substr(text.find('=') + 1);
  given.finish();

  const auto folder = std::filesystem::temp_directory_path() / ("flow_loop." + std::to_string(getpid()));
  flow::app_options options;
  options.instance = "bench";
  options.state = folder;
  options.commit_every = commit;
  options.lanes = 6;
  options.clusters["home"] = properties;
  options.clusters["home"]["bootstrap.servers"] = home;
  std::vector<std::string> targets;
  for (const auto& address : addresses) {
    targets.push_back("target-" + std::to_string(targets.size() + 1));
    options.clusters[targets.back()] = properties;
    options.clusters[targets.back()]["bootstrap.servers"] = address;
  }

  bench::report report{.program = "flow_loop"};
  {
    flow::app app{loop(source, sink, targets, filtered), options};
    if (auto started = app.start(); !started) {
      std::cerr << "flow_loop: " << to_string(started.error()) << '\n';
      return 1;
    }
    auto first = std::chrono::steady_clock::time_point{};
    const auto now = [] { return std::chrono::steady_clock::now(); };
    const auto look = [&] {
      const auto status = app.status();
      if (status.workers.empty() || status.workers[0].nodes.empty()) return;
      report.records = static_cast<std::int64_t>(status.workers[0].nodes[0].received);
      report.forwarded = report.commits = 0;
      for (const auto& target : status.workers[0].targets) {
        report.forwarded = static_cast<std::int64_t>(target.records_written);
        report.commits += static_cast<std::int64_t>(target.commits);
      }
      if (report.records > 0 && first == std::chrono::steady_clock::time_point{}) first = now();
    };
    while (!stop.asked() && (wanted == 0 || report.records < wanted)) {
      if (stop.wait_until(now() + 20ms)) break;
      look();
    }
    app.stop(30s);
    look();
    report.wall_seconds = std::chrono::duration<double>(now() - first).count();
  }
  std::filesystem::remove_all(folder);
  report.print();
  return 0;
}

}  // namespace

int main(int argc, char** argv) try { return run(argc, argv); } catch (const std::exception& e) {
  std::cerr << "flow_loop: " << e.what() << '\n' << usage;
  return 2;
}
