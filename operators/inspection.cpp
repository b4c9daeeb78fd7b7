#include "inspection.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <string_view>
#include <utility>

#include <flow/label.hpp>
#include <flow/spelling.hpp>
#include <flow/topic.hpp>
#include <flow/topic_selection.hpp>

#include "frames.hpp"

namespace flow {
namespace {

std::string quoted(std::string_view text) {
  return "'" + std::string{text} + "'";
}

constexpr std::size_t longest_topic_name = 249;

std::string known_or_meant(const std::string& name, const std::vector<std::string>& known) {
  const std::string meant = spelling::nearest(name, known);
  if (!meant.empty()) return "did you mean " + quoted(meant) + "?";
  std::string all;
  for (const std::string& each : known) all += (all.empty() ? "" : ", ") + each;
  return "known are " + all;
}

class inspection {
 public:
  inspection(const drawn_plan& what, const surroundings& where) : plan_{what}, where_{where}, found_{where.flaws} {
    std::ranges::copy(what.from().flaws(), std::back_inserter(found_));
  }

  std::vector<flaw> run() && {
    check_whole();
    for (const source_spec& source : plan_.sources_) check(source);
    for (const sink_spec& sink : plan_.sinks_) check(sink);
    for (const dedup_spec& dedup : plan_.dedups_) check(dedup);
    for (std::size_t i = 0; i < plan_.nodes_.size(); ++i) check_node(i);
    check_letters();
    check_parking();
    check_processes();
    return std::move(found_);
  }

 private:
  void find(std::string text, std::string remedy, std::string about = {}) {
    found_.push_back({std::move(text), std::move(remedy), std::move(about)});
  }

  void check_whole() {
    if (!is_name(plan_.application()))
      find("the application's name " + quoted(plan_.application()) + " cannot be part of a topic's name", name_rule,
           plan_.application());
    if (plan_.sources_.empty()) find("nothing is read", "begin with from(topic<K, V>{...})");
    if (plan_.sinks_.empty()) find("nothing leaves the topology", "end it with to, fan_out or for_each");
    if (plan_.sinks_.size() > 64)
      find("there are " + std::to_string(plan_.sinks_.size()) + " sinks", "64 are the most; split the application");
    std::map<std::string, int> times;
    for (const node_spec& node : plan_.nodes_)
      if (++times[node.name] == 2) find("two nodes have the name " + quoted(node.name), "give each a name of its own");
  }

  void check(const source_spec& source) {
    if (source.bounded) return;
    if (source.include.empty() && source.through.empty())
      find(quoted(source.name) + " reads no topic", "name a topic or a pattern");
    for (const std::string& topic : source.include)
      if (topic.empty())
        find(quoted(source.name) + " reads a topic without a name", "name it, or leave it out", topic);
      else if (is_internal_topic(topic))
        find(quoted(source.name) + " reads the internal topic " + quoted(topic), "read what the application writes",
             topic);
    try {
      selections_.emplace_back(source, plan_.application(), where_.home);
    } catch (const std::invalid_argument& e) {
      find(quoted(source.name) + ": " + e.what(), "mend it, or escape what is meant literally; there are no look-arounds and no back-references");
    }
  }

  void check(const sink_spec& sink) {
    if (sink.clusters.empty()) find(quoted(sink.name) + " writes to no cluster", "name at least one");
    std::set<std::string> seen;
    for (const std::string& cluster : sink.clusters) {
      if (!seen.insert(cluster).second)
        find(quoted(sink.name) + " names the cluster " + quoted(cluster) + " twice", "name each once", cluster);
      check_cluster(sink, cluster);
    }
    check_topic(sink);
    if (sink.names == sink_spec::naming::outside) check_destination(sink);
    if (sink.names == sink_spec::naming::own)
      check_length(own_topic(plan_.application(), where_.home, sink.topic), "node");
    if (sink.names == sink_spec::naming::changelog)
      check_length(changelog_topic(plan_.application(), where_.home, sink.topic), "node");
    if (seen.contains(std::string{home})) check_loop(sink);
  }

  void check(const dedup_spec& dedup) {
    using namespace std::chrono_literals;
    if (dedup.window <= 0ms || dedup.window > 366 * 24h)
      find(quoted(dedup.name) + " looks back over " + std::to_string(dedup.window.count()) + " ms",
           "its window is longer than nothing, and a year at most");
  }

  /// Whoever reads a topic has to know whether that is a letter.
  void check_letters() {
    for (std::uint32_t i = 0; i < plan_.sinks_.size(); ++i) {
      const sink_spec& letters = plan_.sinks_[i];
      if (!letters.takes_letters) continue;
      const std::string& writer = writer_of(i);
      for (const sink_spec& sink : plan_.sinks_)
        if (const auto topic = shared_topic(letters, sink); topic && !sink.takes_letters)
          find(quoted(writer) + " writes dead letters to " + quoted(*topic) + ", where " +
                   (sink.name == writer ? "it" : quoted(sink.name)) + " writes records as well",
               "give the letters a topic of their own, such as {topic}.dlq", letters.topic);
    }
  }

  /// One of the nodes whose letters go there.
  const std::string& writer_of(std::uint32_t letters) const {
    for (std::size_t i = 0; i < plan_.nodes_.size(); ++i) {
      const wiring::failure_rule& rule = plan_.placed_[i].on_failure;
      if (rule.what.what() == policy::kind::dead_letter && rule.letters == letters) return plan_.nodes_[i].name;
    }
    return std::ranges::find(plan_.parking_, letters, &parking_spec::letters)->node;
  }

  /// On any cluster. Of an expression no more is known than its text tells.
  std::optional<std::string> shared_topic(const sink_spec& letters, const sink_spec& sink) const {
    const auto takes_letters = [&](const std::string& cluster) {
      return std::ranges::find(letters.clusters, cluster) != letters.clusters.end();
    };
    if (!names_topics(sink) || std::ranges::none_of(sink.clusters, takes_letters)) return std::nullopt;
    std::set<std::string> written;
    for (const std::uint32_t number : letters.sources)
      for (const std::string& topic : topics_of(number))
        written.insert(topic_by_pattern(letters.topic, topic, where_.home));
    for (const std::uint32_t number : sink.sources)
      for (const std::string& topic : topics_of(number))
        if (auto made = topic_by_pattern(sink.topic, topic, where_.home); written.contains(made)) return made;
    return std::nullopt;
  }

  /// Where a key is parked is a lane's own affair, so nothing behind may be what lanes share, or lie outside of Kafka.
  void check_parking() {
    std::set<std::string> topics;
    for (std::size_t i = 0; i < plan_.nodes_.size(); ++i) {
      const policy& rule = plan_.placed_[i].on_failure.what;
      if (rule.what() != policy::kind::park_key) continue;
      topics.insert(rule.topic());
      const std::string& name = plan_.nodes_[i].name;
      if (plan_.from().nodes()[i].about.is_scattered)
        find(quoted(name) + " parks keys, and those of its stream are not its source's any more",
             "give it another policy, or park before the key changes, or promise that equal keys stay together: "
             "key_by(f, colocated)");
      if (const node_spec* other = find_behind(i, [](const wiring::facts& each) { return each.dedup.has_value(); }))
        find(quoted(name) + " parks keys, and " + quoted(other->name) + " has to see every record",
             "give it another policy, or let the dedup come first");
      if (const node_spec* other = find_behind(
              i, [](const wiring::facts& each) { return each.sink && each.sink->names == sink_spec::naming::outside; }))
        find(quoted(name) + " parks keys, and " + quoted(other->name) + " delivers outside of Kafka, which no " +
                 "transaction releases",
             "give it another policy: an ordered_sink tries one record of a key after the other anyway");
    }
    if (topics.size() > 1)
      find("keys are parked in " + quoted(*topics.begin()) + " and in " + quoted(*topics.rbegin()),
           "park all of them in one topic, so that they keep their order");
  }

  /// A letter's way through the operators is that of a program of its own, which keeps nothing of what this one does.
  void check_processes() {
    for (std::size_t i = 0; i < plan_.nodes_.size(); ++i) {
      const auto what = plan_.placed_[i].on_failure.what.what();
      if (what != policy::kind::dead_letter && what != policy::kind::park_key) continue;
      if (const node_spec* other = find_behind(i, [](const wiring::facts& each) { return each.is_process; }))
        find(quoted(plan_.nodes_[i].name) + " writes dead letters, and " + quoted(other->name) +
                 " keeps what would be another's when they are replayed",
             "give it another policy, or let a repartition come between the two");
    }
  }

  /// The node itself, or the first one behind it, of which something is true.
  const node_spec* find_behind(std::size_t node, bool (*what)(const wiring::facts&)) const {
    if (what(plan_.from().nodes()[node].about)) return &plan_.nodes_[node];
    for (const std::uint32_t to : plan_.nodes_[node].to)
      if (const node_spec* found = find_behind(to, what)) return found;
    return nullptr;
  }

  void check_cluster(const sink_spec& sink, const std::string& cluster) {
    if (where_.clusters.empty() || cluster == home ||
        std::ranges::find(where_.clusters, cluster) != where_.clusters.end())
      return;
    find(quoted(sink.name) + " writes to the unknown cluster " + quoted(cluster),
         known_or_meant(cluster, where_.clusters), cluster);
  }

  static bool names_topics(const sink_spec& sink) {
    return sink.names == sink_spec::naming::fixed || sink.names == sink_spec::naming::pattern;
  }

  void check_topic(const sink_spec& sink) {
    if (names_topics(sink) && is_internal_topic(topic_by_pattern(sink.topic, "t", "s")))
      find(quoted(sink.name) + " writes to the internal topic " + quoted(sink.topic), "give its topic another name",
           sink.topic);
    if (sink.names == sink_spec::naming::fixed && !is_topic_name(sink.topic))
      find(quoted(sink.name) + " writes to " + quoted(sink.topic) + ", which is no name for a topic",
           "use 1 to 249 letters, digits, dots, dashes or underscores", sink.topic);
    if (sink.names == sink_spec::naming::pattern && !is_topic_name(topic_by_pattern(sink.topic, "t", "s")))
      find(quoted(sink.name) + " writes to " + quoted(sink.topic) + ", which makes no name for a topic",
           "use {topic}, {source}, letters, digits, dots, dashes and underscores", sink.topic);
  }

  void check_destination(const sink_spec& sink) {
    for (const auto& [what, value] :
         {std::pair{"in_flight", sink.to.how.in_flight}, {"batch", sink.to.how.batch}, {"ahead", sink.to.how.ahead}})
      if (value < 1) find(quoted(sink.name) + " has " + what + " " + std::to_string(value), "1 is the least");
    if (sink.to.how.timeout.count() < 0) find(quoted(sink.name) + " has a negative timeout", "0 is none");
    if (sink.to.how.timeout.count() > 0 && !sink.to.how.wants_answers)
      find(quoted(sink.name) + " has a timeout, and what is late would come behind the next of its key",
           "limit the destination itself, as http::post does");
    check_length(plan_.application() + "." + where_.home + "." + sink.lanes + ".lanes.internal", "sink");
  }

  void check_length(const std::string& topic, const std::string& of) {
    if (topic.size() > longest_topic_name)
      find("the topic " + quoted(topic) + " cannot be made, its name is too long",
           "shorten the name of the application, its home, or the " + of);
  }

  // What comes back has the name of its node for a topic's.
  std::vector<std::string> topics_of(std::uint32_t number) const {
    const source_spec& source = plan_.sources_[number];
    return source.through.empty() ? source.include : std::vector{source.through};
  }

  /// What is written on home must not come back in.
  void check_loop(const sink_spec& sink) {
    if (!names_topics(sink)) return;
    for (const std::uint32_t number : sink.sources) {
      for (const topic_selection& read : selections_)
        if (const auto topic = leads_back(sink.topic, topics_of(number), where_.home, read))
          return find(quoted(sink.name) + " writes to " + quoted(*topic) + " on home, which is read as well",
                      "write to another topic, or exclude it from what is read",
                      sink.takes_letters ? *topic : sink.topic);
    }
  }

  void check_node(std::size_t node) {
    const wiring::facts& about = plan_.from().nodes()[node].about;
    const std::string& name = plan_.nodes_[node].name;
    if (!is_name(name)) find("a node has the name " + quoted(name), name_rule);
    for (const flaw& each : about.flaws) find(quoted(name) + ": " + each.text, each.remedy);
    if (about.source && !about.source->bounded && about.source->include.empty() && about.source->through.empty())
      return;
    const auto& targets = plan_.placed_[node].targets;
    for (std::size_t port = 0; port < targets.size(); ++port)
      if (targets[port].empty())
        find("the stream " + (about.ports.empty() ? "from " : quoted(about.ports[port]) + " from ") + quoted(name) +
                 " ends nowhere",
             about.ports.empty() ? "end it with to, fan_out or for_each"
                                 : "end it with to, fan_out or for_each, or leave the branch out");
    if (!are_live(plan_.from().nodes()[node].captured))
      find(quoted(name) + " has captured a reference to a local variable that is gone",
           "capture by value: [=] instead of [&]");
  }

  /// Of other threads it is not known which calls are over.
  bool are_live(const std::vector<wiring::frame>& captured) const {
    return std::ranges::all_of(captured, [&](const wiring::frame& each) {
      return each.thread != live_.front().thread || std::ranges::find(live_, each) != live_.end();
    });
  }

  const drawn_plan& plan_;
  const surroundings& where_;
  std::vector<wiring::frame> live_ = calls_under_way();
  std::vector<flaw> found_;
  std::vector<topic_selection> selections_;
};

}  // namespace

std::vector<flaw> inspect(const drawn_plan& what, const surroundings& where) {
  return inspection{what, where}.run();
}

}  // namespace flow
