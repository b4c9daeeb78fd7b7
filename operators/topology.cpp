#include <flow/topology.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include <flow/topic_selection.hpp>

#include "graph.hpp"
#include "inspection.hpp"

namespace flow {
namespace {

std::string lines(const std::vector<flaw>& flaws) {
  std::string text;
  for (const flaw& each : flaws) text += (text.empty() ? "" : "\n") + each.text + " (" + each.remedy + ")";
  return text;
}

std::string list(const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items) text += (text.empty() ? "" : ", ") + item;
  return text;
}

std::string note_on(const source_spec& source) {
  if (source.bounded) return "a range";
  if (!source.through.empty()) return "what " + source.through + " has written";
  std::string text = list(source.include);
  if (!source.exclude.empty()) text += " but not " + list(source.exclude);
  if (source.is_timed) text += " with a time of its own";
  if (source.start) {
    switch (source.start->where) {
      case start_at::kind::earliest:
        return text + " from the beginning";
      case start_at::kind::latest:
        return text + " from the end";
      case start_at::kind::time:
        return text + " from " + std::to_string(source.start->time) + " ms";
    }
  }
  return text;
}

std::string note_on(const sink_spec& sink) {
  switch (sink.names) {
    case sink_spec::naming::fixed:
    case sink_spec::naming::pattern:
      return sink.topic + " on " + list(sink.clusters);
    case sink_spec::naming::by_record:
      return "a topic by record on " + list(sink.clusters);
    case sink_spec::naming::outside:
      return sink.to.text.empty() ? sink.to.text : "to " + sink.to.text;
    case sink_spec::naming::own:
      return sink.partitions > 0 ? "over " + std::to_string(sink.partitions) + " partitions" : std::string{};
    case sink_spec::naming::nowhere:
    case sink_spec::naming::changelog:
      break;
  }
  return {};
}

class drawing {
 public:
  drawing(std::shared_ptr<const wiring::draft> from, const surroundings& where)
      : draft_{*from}, where_{where}, plan_{std::make_shared<drawn_plan>(std::move(from))} {
    for (const wiring::draft::node& node : draft_.nodes()) taken_.insert(node.about.name);
  }

  std::shared_ptr<drawn_plan> draw() && {
    for (const wiring::draft::node& node : draft_.nodes()) add(node);
    for (std::uint32_t i = 0; i < draft_.nodes().size(); ++i) connect(i), return_to(i);
    for (std::uint32_t i = 0; i < draft_.nodes().size(); ++i) find_co_partitioned(i), find_sources(i);
    for (std::uint32_t i = static_cast<std::uint32_t>(draft_.nodes().size()); i-- > 0;) find_way(i);
    for (std::uint32_t i = 0; i < draft_.nodes().size(); ++i) add_parking(i);
    for (const sink_spec& sink : plan_->sinks_)
      if (sink.takes_letters && std::ranges::count(sink.clusters, home) > 0) exclude_from_patterns(sink.topic);
    return std::move(plan_);
  }

 private:
  void add(const wiring::draft::node& node) {
    const wiring::facts& about = node.about;
    const policy rule = about.on_failure.value_or(draft_.on_failure());
    placed_node placed{.targets{}, .on_failure = {.what = rule}};
    placed.targets.resize(about.sink ? 0 : std::max<std::size_t>(1, about.ports.size()));
    node_spec spec{.name = about.name.empty() ? name_for(about.verb) : about.name,
                   .verb = std::string{about.verb},
                   .note = about.note,
                   .to{},
                   .ports{},
                   .deciders = about.deciders};
    if (about.source) {
      placed.number = add_source(*about.source, spec.name);
      spec.note = note_on(*about.source);
    }
    if (about.sink) {
      placed.number = add_sink(*about.sink, spec.name, rule);
      spec.note = note_on(plan_->sinks_.back());
    }
    if (about.dedup) {
      placed.number = static_cast<std::uint32_t>(plan_->dedups_.size());
      plan_->dedups_.push_back(*about.dedup);
      plan_->dedups_.back().name = spec.name;
      plan_->dedups_.back().reach = about.dedup->window;
    }
    if (rule != stop || draft_.on_failure() != stop)
      spec.note += (spec.note.empty() ? "" : ", ") + ("on failure " + rule.text());
    if (rule.what() == policy::kind::dead_letter) {
      const sink_spec beside{.clusters = {std::string{home}}};
      placed.on_failure.letters = add_letters(rule.topic(), about.sink ? plan_->sinks_.back() : beside);
      if (about.sink) plan_->sinks_[placed.number].letters = placed.on_failure.letters;
    }
    if (about.sink && about.sink->to.how.wants_answers) add_answers(placed.number);
    if (about.is_process) placed.process = add_process(placed.number);
    plan_->placed_.push_back(std::move(placed));
    plan_->nodes_.push_back(std::move(spec));
  }

  std::string name_for(std::string_view verb) {
    for (;;) {
      std::string name = std::string{verb} + "-" + std::to_string(++used_[std::string{verb}]);
      if (taken_.insert(name).second) return name;
    }
  }

  std::uint32_t add_source(source_spec spec, const std::string& name) {
    spec.name = name;
    plan_->sources_.push_back(std::move(spec));
    return static_cast<std::uint32_t>(plan_->sources_.size() - 1);
  }

  std::uint32_t add_sink(sink_spec spec, const std::string& name, policy rule) {
    spec.name = name;
    spec.on_failure = rule;
    std::ranges::replace(spec.clusters, where_.home, std::string{home});
    plan_->sinks_.push_back(std::move(spec));
    return static_cast<std::uint32_t>(plan_->sinks_.size() - 1);
  }

  /// One for each topic and set of clusters, whatever number of nodes share it, in the lanes of what they stand beside.
  std::uint32_t add_letters(const std::string& topic, const sink_spec& beside) {
    const auto is_same = [&](const sink_spec& each) {
      return each.takes_letters && each.topic == topic && each.clusters == beside.clusters &&
             each.lanes == beside.lanes;
    };
    const auto known = std::ranges::find_if(plan_->sinks_, is_same);
    if (known != plan_->sinks_.end()) return static_cast<std::uint32_t>(known - plan_->sinks_.begin());
    sink_spec letters{.name = "dead letters to " + topic,
                      .clusters = beside.clusters,
                      .names = sink_spec::naming::pattern,
                      .topic = topic,
                      .takes_letters = true,
                      .lanes = beside.lanes};
    plan_->sinks_.push_back(std::move(letters));
    return static_cast<std::uint32_t>(plan_->sinks_.size() - 1);
  }

  /// What comes back goes through a topic of the application's own, in the transaction whose position passes it.
  void add_answers(std::uint32_t number) {
    const sink_spec& asked = plan_->sinks_[number];
    sink_spec answers{.name = "answers to " + asked.name,
                      .clusters = asked.clusters,
                      .names = sink_spec::naming::own,
                      .topic = asked.name,
                      .keeps_partition = true,
                      .lanes = asked.lanes};
    plan_->sinks_[number].answers = static_cast<std::uint32_t>(plan_->sinks_.size());
    plan_->sinks_.push_back(std::move(answers));
  }

  /// What it keeps changes in the transaction that holds what it makes.
  std::uint32_t add_process(std::uint32_t sink) {
    const sink_spec& made = plan_->sinks_[sink];
    sink_spec changes{.name = "changes of " + made.name,
                      .clusters = made.clusters,
                      .names = sink_spec::naming::changelog,
                      .topic = made.name,
                      .on_failure = made.on_failure,
                      .lanes = made.lanes};
    plan_->processes_.push_back({made.name, sink, static_cast<std::uint32_t>(plan_->sinks_.size())});
    plan_->sinks_.push_back(std::move(changes));
    return static_cast<std::uint32_t>(plan_->processes_.size() - 1);
  }

  /// What patterns match by chance is not meant; a topic that is named is, and reading it is a flaw.
  void exclude_from_patterns(const std::string& topic) {
    if (!is_topic_name(topic_by_pattern(topic, "t", "s"))) return;
    std::string expression;
    for (const char c : topic) expression += c == '.' ? std::string{"[.]"} : std::string{c};
    expression = topic_by_pattern(expression, ".*", where_.home);
    const topic_selection letters{{expression}, {}};
    for (source_spec& source : plan_->sources_) {
      const bool names_one = std::ranges::any_of(
          source.include, [&](const std::string& entry) { return is_topic_name(entry) && letters.contains(entry); });
      if (!source.bounded && source.through.empty() && !names_one) source.exclude.push_back(expression);
    }
  }

  void connect(std::uint32_t node) {
    for (const wiring::port& input : draft_.nodes()[node].inputs) {
      if (input.node >= node) continue;
      const std::vector<std::string>& ports = draft_.nodes()[input.node].about.ports;
      plan_->placed_[input.node].targets.at(input.number).push_back(node);
      plan_->nodes_[input.node].to.push_back(node);
      if (!ports.empty()) plan_->nodes_[input.node].ports.push_back(ports.at(input.number));
    }
  }

  void return_to(std::uint32_t node) {
    const auto& source = draft_.nodes()[node].about.source;
    if (!source || source->through.empty()) return;
    std::ranges::find(plan_->nodes_, source->through, &node_spec::name)->returns_to = node;
  }

  /// State by key behind several sources is right only if all of them place keys alike.
  void find_co_partitioned(std::uint32_t node) {
    if (!draft_.nodes()[node].about.keeps_state_by_key) return;
    std::set<std::uint32_t> sources;
    collect_sources(node, sources);
    const bool is_one_topic = sources.size() == 1 && reads_one_topic(plan_->sources_[*sources.begin()]);
    if (!is_one_topic) plan_->co_partitioned_.emplace_back(sources.begin(), sources.end());
  }

  static bool reads_one_topic(const source_spec& source) {
    return !source.through.empty() || (source.include.size() == 1 && is_topic_name(source.include.front()));
  }

  void find_sources(std::uint32_t node) {
    const wiring::facts& about = draft_.nodes()[node].about;
    const placed_node& placed = plan_->placed_[node];
    std::set<std::uint32_t> sources;
    collect_sources(node, sources);
    if (about.dedup) plan_->dedups_[placed.number].sources.assign(sources.begin(), sources.end());
    if (about.sink) lead_to(placed.number, sources);
    if (about.sink && about.sink->to.how.wants_answers) lead_to(plan_->sinks_[placed.number].answers, sources);
    if (about.is_process) lead_to(plan_->processes_[placed.process].changes, sources);
    if (placed.on_failure.what.what() == policy::kind::dead_letter) lead_to(placed.on_failure.letters, sources);
  }

  /// Those that lead to it, and itself.
  void collect_way(std::uint32_t node, std::set<std::uint32_t>& way) const {
    if (!way.insert(node).second) return;
    for (const wiring::port& input : draft_.nodes()[node].inputs)
      if (input.node < node) collect_way(input.node, way);
  }

  /// Of a dedup, once those behind it have theirs. Which topics are read does not matter to what is seen of one of them.
  void find_way(std::uint32_t node) {
    if (!draft_.nodes()[node].about.dedup) return;
    dedup_spec& own = plan_->dedups_[plan_->placed_[node].number];
    std::set<std::uint32_t> way;
    collect_way(node, way);
    for (const std::uint32_t each : way) {
      const node_spec& spec = plan_->nodes_[each];
      own.way += spec.name + " " + spec.verb + (draft_.nodes()[each].about.source ? "" : " " + spec.note);
      for (std::size_t i = 0; i < spec.to.size(); ++i)
        if (way.contains(spec.to[i]))
          own.way += " > " + (spec.ports.empty() ? "" : spec.ports[i] + ": ") + plan_->nodes_[spec.to[i]].name;
      own.way += "\n";
      if (each == node || !draft_.nodes()[each].about.dedup) continue;
      dedup_spec& before = plan_->dedups_[plan_->placed_[each].number];
      before.reach = std::max(before.reach, before.window + own.reach);
    }
  }

  /// Others may lead there as well, where letters go.
  void lead_to(std::uint32_t sink, std::set<std::uint32_t> sources) {
    auto& known = plan_->sinks_[sink].sources;
    sources.insert(known.begin(), known.end());
    known.assign(sources.begin(), sources.end());
  }

  /// What is parked lies on each cluster that a record could have come to from there, be it as a letter. A sink is
  /// reached only by the lanes of its own clusters.
  void add_parking(std::uint32_t node) {
    std::set<std::uint32_t> sources;
    collect_sources(node, sources);
    const policy* rule = nullptr;
    parking_spec made{.node = plan_->nodes_[node].name, .sources{sources.begin(), sources.end()}};
    std::vector<std::string> clusters;
    for (std::uint32_t i = 0; i < plan_->placed_.size(); ++i) {
      const bool is_own_source = draft_.nodes()[i].about.source && sources.contains(plan_->placed_[i].number);
      const policy& each = plan_->placed_[i].on_failure.what;
      if (i != node && !is_own_source) continue;
      if (each.what() == policy::kind::park_key) {
        rule = &each;
        made.failed = made.failed || i == node;
        made.undecodable = made.undecodable || is_own_source;
      }
      if (each.what() == policy::kind::dead_letter) collect_clusters_of(plan_->placed_[i].on_failure.letters, clusters);
    }
    if (!rule) return;
    if (draft_.nodes()[node].about.sink) clusters.clear();
    collect_clusters(node, clusters);
    auto& placed = plan_->placed_[node];
    placed.on_failure.parked = add_letters(rule->topic(), {.clusters = std::move(clusters)});
    if (draft_.nodes()[node].about.sink) {
      auto& sink = plan_->sinks_[placed.number];
      if (sink.on_failure.what() == policy::kind::park_key) sink.letters = placed.on_failure.parked;
    }
    made.letters = placed.on_failure.parked;
    lead_to(made.letters, sources);
    plan_->parking_.push_back(std::move(made));
  }

  void collect_clusters(std::uint32_t node, std::vector<std::string>& into) const {
    const placed_node& placed = plan_->placed_[node];
    if (draft_.nodes()[node].about.sink) collect_clusters_of(placed.number, into);
    if (placed.on_failure.what.what() == policy::kind::dead_letter)
      collect_clusters_of(placed.on_failure.letters, into);
    for (const auto& port : placed.targets)
      for (const std::uint32_t target : port) collect_clusters(target, into);
  }

  void collect_clusters_of(std::uint32_t sink, std::vector<std::string>& into) const {
    for (const std::string& each : plan_->sinks_[sink].clusters)
      if (std::ranges::count(into, each) == 0) into.push_back(each);
  }

  void collect_sources(std::uint32_t node, std::set<std::uint32_t>& into) const {
    if (draft_.nodes()[node].about.source) into.insert(plan_->placed_[node].number);
    for (const wiring::port& input : draft_.nodes()[node].inputs) collect_sources(input.node, into);
  }

  const wiring::draft& draft_;
  const surroundings& where_;
  std::shared_ptr<drawn_plan> plan_;
  std::set<std::string> taken_;
  std::map<std::string, int> used_;
};

}  // namespace

topology_error::topology_error(std::vector<flaw> flaws)
    : std::invalid_argument{lines(flaws)}, flaws_{std::move(flaws)} {}

std::shared_ptr<const plan> topology::build(const surroundings& where) const {
  std::shared_ptr<drawn_plan> drawn = drawing{draft(), where}.draw();
  std::vector<flaw> flaws = inspect(*drawn, where);
  if (!flaws.empty()) throw topology_error{std::move(flaws)};
  draft()->seal();
  return drawn;
}

}  // namespace flow
