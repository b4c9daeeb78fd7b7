#include "survey.hpp"

#include <algorithm>
#include <functional>
#include <numeric>
#include <string_view>
#include <utility>

#include "engine/refusals.hpp"
#include "engine/routes.hpp"

#include <flow/replay.hpp>
#include <flow/topic_selection.hpp>

namespace flow {
namespace {

bool says(const port::topic_description& topic, const std::string& setting, std::string_view word) {
  const auto at = topic.settings.find(setting);
  return at != topic.settings.end() && at->second.find(word) != std::string::npos;
}

class surveying {
 public:
  surveying(std::shared_ptr<const plan> what, const engine::names& whose, const std::optional<std::string>& only,
            inquiries& by)
      : by_{by}, only_{only}, made_{.what = std::move(what), .names = whose, .written = {}} {
    for (const auto& spec : made_.what->sources()) selections_.emplace_back(spec, whose.application, whose.home);
    for (const auto& sink : made_.what->sinks()) {
      auto& written = made_.written.emplace_back();
      for (const auto& each : sink.clusters) {
        const auto cluster = name_of(each);
        if ((!only || *only == cluster) && is_compared(sink, cluster)) written.push_back(cluster);
      }
      written_.insert(written.begin(), written.end());
    }
  }

  result<survey> run() {
    if (auto known = find_sources(); !known) return tl::unexpected{known.error()};
    if (auto known = tell_apart(); !known) return tl::unexpected{known.error()};
    for (const auto& cluster : written_)
      if (auto known = look_at(cluster); !known) return tl::unexpected{known.error()};
    if (made_.outputs.empty()) return nothing_to_compare();
    if (auto known = find_ends(); !known) return tl::unexpected{known.error()};
    if (auto known = find_letters(made_.names.home); !known) return tl::unexpected{known.error()};
    for (const auto& cluster : written_) {
      if (cluster == made_.names.home) continue;
      if (auto known = find_letters(cluster); !known) return tl::unexpected{known.error()};
    }
    if (auto known = find_ends_at_home(); !known) return tl::unexpected{known.error()};
    return std::move(made_);
  }

 private:
  using see_ends = std::function<void(std::size_t, std::int64_t first, std::int64_t end)>;

  static bool names_topics(const sink_spec& sink) {
    return sink.names == sink_spec::naming::fixed || sink.names == sink_spec::naming::pattern;
  }

  bool is_compared(const sink_spec& sink, const std::string& cluster) const {
    // What fails on its way is foreseen; what a cluster refuses, and what is parked behind it, is not.
    return names_topics(sink) && (!sink.takes_letters || cluster == made_.names.home);
  }

  std::string name_of(const std::string& cluster) const { return cluster == home ? made_.names.home : cluster; }
  bool writes_to(const sink_spec& sink, const std::string& cluster) const {
    return std::ranges::any_of(sink.clusters, [&](const auto& each) { return name_of(each) == cluster; });
  }

  result<void> find_sources();
  result<void> tell_apart();
  std::optional<failure> leads_back(const std::string& cluster) const;
  tl::unexpected<failure> nothing_to_compare() const;
  result<void> look_at(const std::string& cluster);
  result<void> find_ends();
  result<void> find_ends(const std::string& cluster, const std::vector<topic_partition>& where, const see_ends& see);
  result<void> find_letters(const std::string& cluster);
  result<void> find_ends_at_home();
  std::vector<topic_partition> sources() const;
  std::vector<const sink_spec*> sinks_on(const std::string& cluster) const;
  output& output_at(const std::string& cluster, const topic_partition& where);
  void lead(std::size_t source, const sink_spec& sink, const std::string& cluster);

  inquiries& by_;
  const std::optional<std::string>& only_;
  survey made_;
  std::vector<topic_selection> selections_;
  std::set<std::string> written_;
  std::map<std::pair<std::string, topic_partition>, std::size_t> output_numbers_;
};

result<void> surveying::find_sources() {
  auto& at_home = by_.at(made_.names.home);
  const auto topics = at_home.topics();
  if (!topics) return tl::unexpected{topics.error()};
  if (const auto missing = engine::missing_topics(*made_.what, *topics); !missing.empty())
    return fail(failure_kind::missing, "on " + made_.names.home + " there is no topic " + missing,
                "create it, or correct the name, or grant this user DESCRIBE on it");
  std::vector<std::string> names;
  for (const auto& each : *topics)
    if (std::ranges::any_of(selections_, [&](const auto& read) { return read.contains(each.name); }))
      names.push_back(each.name);
  const auto found = at_home.topics(names);
  if (!found) return tl::unexpected{found.error()};
  for (const auto& topic : *found) {
    made_.topics_at_home[topic.name] = {topic.partitions, says(topic, "cleanup.policy", "compact"), false};
    for (std::int32_t number = 0; number < topic.partitions; ++number) {
      auto& made = made_.sources.emplace_back(source_at_home{.where = {topic.name, number}});
      for (std::uint32_t i = 0; i < selections_.size(); ++i)
        if (selections_[i].contains(topic.name)) made.entries.push_back({i, made_.names.home, topic.name, number});
    }
  }
  if (made_.sources.empty())
    return fail(failure_kind::missing, "no topic on " + made_.names.home + " matches what the topology reads",
                "create one, or correct the patterns");
  const auto first = at_home.offsets(sources(), port::offset_query::kind::earliest);
  if (!first) return tl::unexpected{first.error()};
  for (std::size_t i = 0; i < first->size(); ++i) made_.sources[i].was_first = (*first)[i];
  return {};
}

std::vector<topic_partition> surveying::sources() const {
  std::vector<topic_partition> where;
  for (const auto& each : made_.sources) where.push_back(each.where);
  return where;
}

// What is compared with itself, or with what was written once for two names, is always equal.
result<void> surveying::tell_apart() {
  auto asked = written_;
  asked.insert(made_.names.home);
  std::map<std::string, std::string> ids;
  for (const auto& cluster : asked) {
    const auto id = by_.at(cluster).identify();
    if (!id) return tl::unexpected{id.error()};
    ids[cluster] = *id;
  }
  for (const auto& cluster : written_)
    if (ids.at(cluster) == ids.at(made_.names.home))
      if (auto refused = leads_back(cluster)) return tl::unexpected{*refused};
  const auto& sinks = made_.what->sinks();
  std::erase_if(ids, [&](const auto& each) {
    return std::ranges::none_of(sinks, [&](const auto& sink) { return writes_to(sink, each.first); });
  });
  for (const auto& [name, id] : ids)
    for (const auto& [other, its_id] : ids)
      if (name < other && id == its_id) return tl::unexpected{engine::one_and_the_same(name, other, id)};
  return {};
}

// Of a cluster that is home.
std::optional<failure> surveying::leads_back(const std::string& cluster) const {
  for (const auto& sink : made_.what->sinks()) {
    if (!names_topics(sink) || !writes_to(sink, cluster)) continue;
    for (const auto& source : made_.sources) {
      if (!engine::lead_to(sink, source.entries)) continue;
      const auto topic = engine::topic_of(sink, made_.names, source.where.topic);
      if (std::ranges::any_of(selections_, [&](const auto& read) { return read.contains(topic); }))
        return engine::leads_back(sink.name, topic, cluster, made_.names.home);
    }
  }
  return std::nullopt;
}

tl::unexpected<failure> surveying::nothing_to_compare() const {
  return fail(failure_kind::missing,
              "nothing that the topology writes" + (only_ ? " to " + *only_ : "") + " can be compared",
              "what goes to a topic that a record names, to user code or to an ordered sink cannot; name a "
              "cluster that gets something else");
}

std::vector<const sink_spec*> surveying::sinks_on(const std::string& cluster) const {
  std::vector<const sink_spec*> found;
  for (std::size_t i = 0; i < made_.written.size(); ++i)
    if (std::ranges::count(made_.written[i], cluster) > 0) found.push_back(&made_.what->sinks()[i]);
  return found;
}

result<void> surveying::look_at(const std::string& cluster) {
  auto& known = made_.clusters[cluster];
  const auto positions = by_.at(cluster).positions(made_.names);
  if (!positions) return tl::unexpected{positions.error()};
  for (const auto& lane : *positions)
    for (const auto& [source, place] : lane.sources) known.places[source] = place;
  const auto sinks = sinks_on(cluster);
  std::set<std::string> written;
  for (const auto* sink : sinks)
    for (const auto& source : made_.sources)
      if (engine::lead_to(*sink, source.entries))
        written.insert(engine::topic_of(*sink, made_.names, source.where.topic));
  const auto found = by_.at(cluster).topics({written.begin(), written.end()});
  if (!found) return tl::unexpected{found.error()};
  for (const auto& each : *found)
    known.topics[each.name] = {each.partitions, says(each, "cleanup.policy", "compact"),
                               says(each, "message.timestamp.type", "LogAppendTime")};
  for (const auto* sink : sinks)
    for (std::size_t source = 0; source < made_.sources.size(); ++source) lead(source, *sink, cluster);
  return {};
}

output& surveying::output_at(const std::string& cluster, const topic_partition& where) {
  const auto [known, is_new] = output_numbers_.try_emplace({cluster, where}, made_.outputs.size());
  if (is_new) {
    auto& made = made_.outputs.emplace_back(output{.cluster = cluster, .where = where});
    const auto& topics = made_.clusters.at(cluster).topics;
    if (const auto topic = topics.find(where.topic); topic != topics.end())
      made.stamps = topic->second.stamps, made.is_compacted = topic->second.is_compacted;
  }
  return made_.outputs[known->second];
}

// Which partitions of a cluster the records of a source partition may go to.
void surveying::lead(std::size_t source, const sink_spec& sink, const std::string& cluster) {
  const auto& from = made_.sources[source];
  if (!engine::lead_to(sink, from.entries)) return;
  const auto topic = engine::topic_of(sink, made_.names, from.where.topic);
  const auto partitions = made_.partitions_of(cluster, topic, from);
  const auto add = [&](std::int32_t number) {
    auto& to = output_at(cluster, {topic, number});
    to.takes_letters = sink.takes_letters;
    to.is_compacted = to.is_compacted || made_.topics_at_home.at(from.where.topic).is_compacted;
    if (std::ranges::count(to.sources, source) == 0) to.sources.push_back(source);
  };
  if (sink.takes_letters) return add(from.where.partition % partitions);
  if (sink.keeps_partition) return add(from.where.partition);
  for (std::int32_t number = 0; number < partitions; ++number) add(number);
}

result<void> surveying::find_ends(const std::string& cluster, const std::vector<topic_partition>& where,
                                  const see_ends& see) {
  const auto first = by_.at(cluster).offsets(where, port::offset_query::kind::earliest);
  if (!first) return tl::unexpected{first.error()};
  const auto end = by_.at(cluster).offsets(where, port::offset_query::kind::last_stable);
  if (!end) return tl::unexpected{end.error()};
  for (std::size_t i = 0; i < where.size(); ++i) see(i, (*first)[i], (*end)[i]);
  return {};
}

result<void> surveying::find_ends() {
  for (const auto& cluster : written_) {
    const auto& topics = made_.clusters.at(cluster).topics;
    std::vector<topic_partition> where;
    std::vector<output*> of;
    for (auto& each : made_.outputs) {
      const auto topic = topics.find(each.where.topic);
      const bool is_there = topic != topics.end() && each.where.partition < topic->second.partitions;
      if (each.cluster != cluster || !is_there) continue;
      where.push_back(each.where), of.push_back(&each);
    }
    auto found = find_ends(cluster, where, [&](std::size_t i, std::int64_t first, std::int64_t end) {
      of[i]->first = first, of[i]->end = end;
    });
    if (!found) return found;
  }
  return {};
}

result<void> surveying::find_letters(const std::string& cluster) {
  const auto topics = by_.at(cluster).topics();
  if (!topics) return tl::unexpected{topics.error()};
  std::map<std::string, std::int32_t> partitions;
  std::vector<std::string> names;
  for (const auto& each : *topics) partitions[each.name] = each.partitions, names.push_back(each.name);
  std::vector<topic_partition> where;
  for (const auto& topic : letter_topics(*made_.what, made_.names.home, cluster, names))
    for (std::int32_t number = 0; number < partitions[topic]; ++number) where.push_back({topic, number});
  const auto there = by_.at(cluster).ranges(where);
  if (!there) return tl::unexpected{there.error()};
  return by_.at(cluster).read(*there, [&](const topic_partition&, const fetched_record& record) {
    const auto what = read_letter(record.headers);
    if (!what || what->from.cluster != made_.names.home) return true;
    auto& letters = made_.foresees(*what) ? made_.failed : made_.clusters[cluster].letters;
    letters[{std::string{what->from.topic}, what->from.partition}].insert(what->from.offset);
    return true;
  });
}

result<void> surveying::find_ends_at_home() {
  return find_ends(made_.names.home, sources(), [&](std::size_t i, std::int64_t first, std::int64_t end) {
    made_.sources[i].first = first, made_.sources[i].end = end;
  });
}

}  // namespace

const engine::source_position* survey::place(const std::string& cluster, const topic_partition& of) const {
  const auto& places = clusters.at(cluster).places;
  const auto known = places.find(of);
  return known == places.end() ? nullptr : &known->second;
}

std::optional<halted_partition> survey::lost(const std::string& cluster, const source_at_home& of) const {
  const auto* known = place(cluster, of.where);
  if (!known) return std::nullopt;
  auto why = engine::out_of_reach(known->next, of.where, names.home, of.was_first, of.end);
  if (!why) return std::nullopt;
  return halted_partition{of.where, known->next, *std::move(why)};
}

std::int64_t survey::begin_of(const std::string& cluster, const source_at_home& of) const {
  const auto* known = place(cluster, of.where);
  return known ? known->begin : of.first;
}

std::int32_t survey::partitions_of(const std::string& cluster, const std::string& topic,
                                   const source_at_home& from) const {
  const auto& there = clusters.at(cluster).topics;
  const auto found = there.find(topic);
  return found != there.end() ? found->second.partitions : topics_at_home.at(from.where.topic).partitions;
}

bool survey::foresees(const letter& of) const {
  return of.from.cluster == names.home && kind_of(of) == letter_kind::failed && !what->parks(of);
}

std::vector<std::vector<std::size_t>> survey::groups() const {
  std::vector<std::size_t> leader(sources.size());
  std::iota(leader.begin(), leader.end(), std::size_t{0});
  const auto find = [&](std::size_t of) {
    while (leader[of] != of) of = leader[of] = leader[leader[of]];
    return of;
  };
  for (const auto& each : outputs)
    for (const auto source : each.sources) leader[find(source)] = find(each.sources.front());
  std::map<std::size_t, std::set<std::size_t>> found;
  for (const auto& each : outputs)
    for (const auto source : each.sources) found[find(source)].insert(source);
  std::vector<std::vector<std::size_t>> all;
  for (const auto& [first, members] : found) all.emplace_back(members.begin(), members.end());
  std::ranges::sort(all);
  return all;
}

result<survey> survey_of(std::shared_ptr<const plan> what, const engine::names& whose,
                         const std::optional<std::string>& only, inquiries& by) {
  return surveying{std::move(what), whose, only, by}.run();
}

}  // namespace flow
