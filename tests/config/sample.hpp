#pragma once

#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <stdlib.h>

#include <flow/settings.hpp>

// Settings with something of every kind, much like a real program's.
namespace sample {

using namespace std::chrono_literals;
using namespace flow::literals;

enum class partitions { keep, by_key };
constexpr std::array<std::string_view, 2> words(partitions) {
  return {"keep", "by_key"};
}

// A type of the program's own: it may not hold a parenthesis that nothing closes.
struct pattern {
  std::string text;
  bool operator==(const pattern&) const = default;
};

}  // namespace sample

template <>
struct flow::scalar<sample::pattern> {
  static constexpr std::string_view kind = "a pattern", example = "orders.*";
  static complaint read(std::string_view text, sample::pattern& out) {
    if (text.find('(') != std::string_view::npos && text.find(')') == std::string_view::npos)
      return {"is not a pattern: \"(\" is never closed in " + std::string{text}, "close it"};
    out.text = text;
    return {};
  }
  static std::string write(const sample::pattern& value) { return value.text; }
};

namespace sample {

struct topics {
  std::vector<pattern> include;
  std::string rename = "{topic}";
  partitions partitioning = partitions::keep;
  bool create = true;

  void bind(auto& b) {
    b("include", include, "names or patterns").required();
    b("rename", rename, "what a topic is called on a target");
    b("partitions", partitioning, "how a record finds its partition");
    b("create", create, "make topics that are missing");
  }
};

struct dedup {
  std::string id;
  std::chrono::seconds window = 24h;

  void bind(auto& b) {
    b("id", id, "where the id is").required();
    b("window", window, "how long an id is remembered");
  }
};

struct route {
  std::string from;
  int weight = 1;

  void bind(auto& b) {
    b("from", from, "a topic").required();
    b("weight", weight, "its share").range(1, 10);
  }
  void check(flow::problems& found) const {
    if (from == "nowhere") found.at(from, "nothing comes from nowhere", "name a topic");
  }
};

struct settings {
  std::string application = "app";
  std::string home = "tokyo";
  std::vector<std::string> targets;
  std::map<std::string, std::map<std::string, std::string>> clusters;
  sample::topics topics;
  std::optional<sample::dedup> dedup;
  std::vector<route> routes;
  std::map<std::string, int> shares;
  std::chrono::milliseconds commit_every = 100ms;
  flow::byte_size memory = 256_MiB;
  std::optional<flow::byte_rate> catch_up_limit;
  int lanes = 32;
  std::uint16_t port = 8080;
  double ratio = 0.5;
  std::string level = "info";
  bool enabled = true;
  std::string token = "sesame";
  int pin = 0;

  void bind(auto& b) {
    b("application", application, "names the groups");
    b("home", home, "the cluster that is read").environment("AWS_REGION");
    b("targets", targets, "the clusters written to").environment("TARGETS");
    b("clusters", clusters, "client properties by cluster").check([](const auto& all, flow::problems& found) {
      for (const auto& [cluster, properties] : all)
        if (const auto wrong = properties.find("colour"); wrong != properties.end())
          found.at(wrong->second, cluster + " has no colour", "remove it");
    });
    b("topics", topics, "what is copied");
    b("dedup", dedup, "drops what was seen before");
    b("routes", routes, "where records go");
    b("shares", shares, "of each target");
    b("commit_every", commit_every, "the longest a transaction lasts").range(1ms, 60s).environment("COMMIT_EVERY");
    b("memory", memory, "everything buffered");
    b("catch_up_limit", catch_up_limit, "per target that is behind");
    b("lanes", lanes, "the most workers").range(1, 1024).environment("LANES");
    b("port", port, "of the admin page");
    b("ratio", ratio, "of samples kept").check([](double r) { return r > 1 ? "is more than all" : ""; });
    b("level", level, "of the log").one_of({"debug", "info", "warn"});
    b("enabled", enabled, "false ends at once").environment("ENABLED");
    b("token", token, "of the admin page").secret().environment("TOKEN").check([](const std::string& t) {
      return t.size() < 4 ? "is short: " + t : std::string{};
    });
    b("pin", pin, "of the vault").secret().environment("PIN");
  }

  void check(flow::problems& found) const {
    for (const auto& target : targets)
      if (target == home) found.at(target, "a target cannot be home", "remove " + target);
    if (!clusters.empty() && !clusters.contains(home))
      found.at(home, "no cluster is called " + home, "add it to clusters");
  }
};

// A folder of its own, in which the program stands while it lives, so that problems name files as a user would.
class folder {
 public:
  folder() : before_(std::filesystem::current_path()) {
    std::string name = std::filesystem::temp_directory_path() / "flow-config-XXXXXX";
    path_ = mkdtemp(name.data());
    std::filesystem::current_path(path_);
  }
  folder(const folder&) = delete;
  folder& operator=(const folder&) = delete;
  ~folder() {
    std::filesystem::current_path(before_);
    std::filesystem::remove_all(path_);
  }

  void write(const std::string& name, std::string_view text) const { std::ofstream{name, std::ios::binary} << text; }

 private:
  std::filesystem::path before_;
  std::filesystem::path path_;
};

using variables = std::map<std::string, std::string>;

inline flow::environment lookup(variables all) {
  return [all = std::move(all)](const char* name) -> const char* {
    const auto found = all.find(name);
    return found == all.end() ? nullptr : found->second.c_str();
  };
}

}  // namespace sample
