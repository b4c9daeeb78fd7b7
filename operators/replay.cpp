#include <flow/replay.hpp>

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include <flow/topic.hpp>
#include <flow/topic_selection.hpp>

namespace flow {
namespace {

bool writes_to(const sink_spec& sink, std::string_view cluster, std::string_view own_home) {
  return std::ranges::find(sink.clusters, cluster == own_home ? home : cluster) != sink.clusters.end();
}

/// Which topic a pattern has made this name of: nullopt if it has not, "" if it makes the same name of all.
std::optional<std::string> topic_behind(std::string_view pattern, std::string_view source, std::string_view name) {
  constexpr std::string_view placeholder = "{topic}";
  const auto literal = topic_by_pattern(pattern, "", source).size();
  const auto first = pattern.find(placeholder);
  if (first == std::string_view::npos)
    return topic_by_pattern(pattern, "", source) == name ? std::optional<std::string>{""} : std::nullopt;
  std::size_t times = 0;
  for (auto at = first; at != std::string_view::npos; at = pattern.find(placeholder, at + 1)) ++times;
  if (name.size() <= literal) return std::nullopt;
  const auto before = topic_by_pattern(pattern.substr(0, first), "", source).size();
  const auto topic = std::string{name.substr(std::min(before, name.size()), (name.size() - literal) / times)};
  return topic_by_pattern(pattern, topic, source) == name ? std::optional{topic} : std::nullopt;
}

class replay_plan final : public plan, public std::enable_shared_from_this<replay_plan> {
 public:
  replay_plan(std::shared_ptr<const plan> what, replay_options how)
      : inner_{std::move(what)},
        how_{std::move(how)},
        application_{how_.application + "." + how_.home + (how_.kind == letter_kind::failed ? ".replay" : ".refused")} {
    source_spec letters{.name = std::string{letters_node}, .start = start_at{}, .until = how_.until};
    for (const auto& [where, end] : how_.until)
      if (letters.include.empty() || letters.include.back() != where.topic) letters.include.push_back(where.topic);
    sources_.push_back(std::move(letters));
    for (const auto& each : inner_->sources()) {
      selections_.emplace_back(each, how_.application, how_.home);
      sources_.front().is_timed = sources_.front().is_timed || each.is_timed;
    }
    dedups_ = inner_->dedups();
    for (auto& each : dedups_) each.sources = {0};
    for (const auto& each : inner_->sinks()) sinks_.push_back(in_replay(each));
    keep_a_place_beside_the_letters();
    draw_nodes();
  }

  const std::string& application() const override { return application_; }
  const std::vector<source_spec>& sources() const override { return sources_; }
  const std::vector<sink_spec>& sinks() const override { return sinks_; }
  const std::vector<node_spec>& nodes() const override { return nodes_; }
  const std::vector<dedup_spec>& dedups() const override { return dedups_; }
  const std::vector<process_spec>& processes() const override { return processes_; }
  const std::vector<std::vector<std::uint32_t>>& co_partitioned() const override { return co_partitioned_; }
  const std::vector<parking_spec>& parking() const override { return parking_; }
  std::unique_ptr<graph> open() const override;
  emission letter_for(const source_partition&, const fetched_record& record, const refused_emission& what,
                      arena& room) const override {
    const auto first = read_letter(record.headers).value_or(letter{});
    auto original = record;
    original.offset = first.from.offset;
    auto made = inner_->letter_for(as_read(first, 0), original, what, room);
    name_topic(made, first, room);
    return made;
  }

  const plan& inner() const { return *inner_; }
  /// Without a key, what a node that parks has set aside is for its own cluster alone.
  bool takes(const letter& what) const {
    const auto kind = inner_->parks(what) ? letter_kind::refused : kind_of(what);
    return what.from.cluster == how_.home && kind == how_.kind;
  }
  /// With a key it is released, by the lanes that have parked it.
  bool leaves_to_others(const letter& what, bytes key) const { return inner_->parks(what) && !key.is_null(); }
  bool passes_over_strangers() const { return how_.pass_over_strangers; }

  /// Why the topology has no use for this letter; or the number of the source that its record came in by.
  tl::expected<std::uint32_t, std::string> entry_of(const letter& what) const {
    const auto& nodes = inner_->nodes();
    const auto failed = std::ranges::find(nodes, what.node, &node_spec::name);
    if (failed == nodes.end())
      return tl::unexpected{"a letter of '" + std::string{what.node} +
                            "', and no node has that name (any more): give it back to the one that stands there now"};
    const auto& leads_there = leads_to_[static_cast<std::size_t>(failed - nodes.begin())];
    for (std::uint32_t i = 0; i < selections_.size(); ++i)
      if (selections_[i].contains(what.from.topic) && leads_there[i]) return i;
    return tl::unexpected{"a letter of topic " + std::string{what.from.topic} + ", and nothing that leads to '" +
                          std::string{what.node} + "' reads that (any more): include it again"};
  }

  /// Where the letter's record was read.
  source_partition as_read(const letter& what, std::uint32_t source) const {
    return {source, std::string{what.from.cluster}, std::string{what.from.topic}, what.from.partition};
  }

  /// The record's own topic and home name the topic, and not where its letter lies.
  void name_topic(emission& made, const letter& what, arena& room) const {
    const auto& sink = inner_->sinks()[made.sink];
    if (sink.names == sink_spec::naming::pattern)
      made.topic = room.keep(bytes{topic_by_pattern(sink.topic, called(what.from.topic), how_.home)});
  }

 private:
  /// What patterns call the topic.
  std::string_view called(std::string_view topic) const {
    for (std::size_t i = 0; i < selections_.size(); ++i)
      if (const auto& through = inner_->sources()[i].through; !through.empty() && selections_[i].contains(topic))
        return through;
    return topic;
  }

  sink_spec in_replay(sink_spec sink) const {
    sink.sources = {0};
    if (sink.names == sink_spec::naming::pattern) sink.names = sink_spec::naming::by_record;
    if (sink.names == sink_spec::naming::own) {
      sink.names = sink_spec::naming::fixed;
      sink.topic = own_topic(how_.application, how_.home, sink.topic);
      sink.create = false;
    }
    sink.keeps_partition = false;
    if (how_.kind == letter_kind::failed) return sink;
    // Whatever fails of what one cluster refused stays there: the others have it.
    const bool is_written =
        sink.takes_letters ? sink.lanes.empty() || how_.cluster == how_.home : writes_to(sink, how_.cluster, how_.home);
    sink.clusters.clear();
    if (is_written) sink.clusters.emplace_back(home);
    return sink;
  }

  /// Whatever the topology writes now: by another program, with a policy that dead-letters, what has been replayed
  /// would else be new there, and a letter once more.
  void keep_a_place_beside_the_letters() {
    const auto keeps_one = [](const sink_spec& each) {
      return each.lanes.empty() && std::ranges::find(each.clusters, home) != each.clusters.end();
    };
    if (std::ranges::none_of(sinks_, keeps_one))
      sinks_.push_back({.name = "place in the letters",
                        .clusters = {std::string{home}},
                        .names = sink_spec::naming::nowhere,
                        .sources = {0}});
  }

  void draw_nodes() {
    nodes_ = inner_->nodes();
    node_spec letters{
        .name = std::string{letters_node}, .verb = "replay", .note = {}, .to = {}, .ports = {}, .deciders = {}};
    std::vector<std::vector<bool>> reached;
    for (const auto& source : inner_->sources()) {
      const auto at = std::ranges::find(nodes_, source.name, &node_spec::name) - nodes_.begin();
      letters.to.push_back(static_cast<std::uint32_t>(at));
      auto& from_here = reached.emplace_back(nodes_.size(), false);
      from_here[static_cast<std::size_t>(at)] = true;
      for (std::size_t i = 0; i < nodes_.size(); ++i)
        for (const auto to : nodes_[i].to)
          if (from_here[i]) from_here[to] = true;
    }
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      auto& leads_here = leads_to_.emplace_back();
      for (const auto& from_here : reached) leads_here.push_back(from_here[i]);
    }
    nodes_.push_back(std::move(letters));
  }

  std::shared_ptr<const plan> inner_;
  replay_options how_;
  std::string application_;
  std::vector<source_spec> sources_;
  std::vector<sink_spec> sinks_;
  std::vector<node_spec> nodes_;
  std::vector<dedup_spec> dedups_;
  std::vector<std::vector<std::uint32_t>> co_partitioned_;
  std::vector<process_spec> processes_;      // none: no letter is written before one
  std::vector<parking_spec> parking_;        // none: only lanes of the topology itself park, and release
  std::vector<topic_selection> selections_;  // one for each source of the topology
  std::vector<std::vector<bool>> leads_to_;  // by node, then source
};

class replay_graph final : public graph {
 public:
  explicit replay_graph(std::shared_ptr<const replay_plan> what)
      : plan_{std::move(what)}, inner_{plan_->inner().open()} {}

  std::optional<blame> push(const source_partition&, const fetched_record& record, const transit& how) override {
    time_ = -1;
    const auto first = read_letter(record.headers);
    if (first && plan_->leaves_to_others(*first, record.key)) return std::nullopt;
    ++own_.received;
    if (!first || !plan_->takes(*first)) return ++own_.skipped, std::nullopt;
    const auto source = plan_->entry_of(*first);
    if (!source && plan_->passes_over_strangers()) return ++own_.skipped, std::nullopt;
    if (!source) return blame{std::string{letters_node}, source.error()};

    auto original = record;
    original.offset = first->from.offset;
    original.headers = without_letter(record.headers, how.written);
    return_visit visit{.of = &*first};
    auto again = how;
    again.again = &visit;
    const auto before = how.out.size();
    auto blamed = inner_->push(plan_->as_read(*first, *source), original, again);
    time_ = inner_->time();
    if (blamed) return blamed;
    for (auto made = how.out.begin() + static_cast<std::ptrdiff_t>(before); made != how.out.end(); ++made)
      plan_->name_topic(*made, *first, how.written);
    if (!visit.came && how.out.size() == before) ++own_.dropped;
    return std::nullopt;
  }

  std::optional<blame> call(std::uint32_t, const source_partition&, const keyed_state::alarm&, const transit&) override {
    return std::nullopt;
  }

  std::int64_t time() const override { return time_; }

  tl::expected<pulled, blame> pull(std::uint32_t, const transit&) override { return pulled::end; }

  const std::vector<node_counts>& counts() const override {
    counts_ = inner_->counts();
    counts_.push_back(own_);
    return counts_;
  }

 private:
  std::shared_ptr<const replay_plan> plan_;
  std::unique_ptr<graph> inner_;
  node_counts own_;
  std::int64_t time_ = -1;
  mutable std::vector<node_counts> counts_;
};

std::unique_ptr<graph> replay_plan::open() const {
  return std::make_unique<replay_graph>(shared_from_this());
}

}  // namespace

letter_kind kind_of(const letter& what) {
  return what.reason == letter_reason::refused ? letter_kind::refused : letter_kind::failed;
}

std::shared_ptr<const plan> replay_of(std::shared_ptr<const plan> what, replay_options how) {
  return std::make_shared<const replay_plan>(std::move(what), std::move(how));
}

std::vector<std::string> letter_topics(const plan& of, std::string_view home, std::string_view cluster,
                                       const std::vector<std::string>& topics, const std::vector<std::string>& others) {
  auto patterns = others;
  for (const auto& sink : of.sinks())
    if (sink.takes_letters && writes_to(sink, cluster, home)) patterns.push_back(sink.topic);
  std::vector<topic_selection> read;
  for (const auto& each : of.sources())
    read.emplace_back(each.through.empty() ? each.include : std::vector{each.through}, each.exclude);
  const auto is_read = [&](const std::string& topic) {
    return topic.empty() || std::ranges::any_of(read, [&](const auto& each) { return each.contains(topic); });
  };
  std::vector<std::string> found;
  std::ranges::copy_if(topics, std::back_inserter(found), [&](const std::string& topic) {
    return std::ranges::any_of(patterns, [&](const std::string& pattern) {
      const auto origin = topic_behind(pattern, home, topic);
      return origin && is_read(*origin);
    });
  });
  return found;
}

}  // namespace flow
