#include "outputs.hpp"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <set>
#include <utility>

#include "new_topics.hpp"
#include "refusals.hpp"

#include <flow/topic.hpp>

namespace flow::engine {
namespace {

constexpr std::string_view lanes_segment = "16777216";
constexpr unsigned long long largest_segment = 64u << 20;

}  // namespace

outputs::outputs(const site& at) : at_{at} { number_of(at_.names.lanes_topic()); }

topic_id outputs::number_of(const std::string& topic) {
  const auto known = std::find(names_.begin(), names_.end(), topic);
  const auto number = static_cast<topic_id>(known - names_.begin());
  if (known == names_.end()) names_.push_back(topic);
  return number;
}

bool outputs::names_topics(std::uint32_t sink) const {
  const auto naming = at_.topology.sinks()[sink].names;
  return (at_.sinks >> sink & 1) && (naming == sink_spec::naming::fixed || naming == sink_spec::naming::pattern ||
                                     naming == sink_spec::naming::own);
}

task<result<std::optional<port::topic_description>>> outputs::find_own(std::string topic) {
  const std::vector<std::string> wanted{std::move(topic)};
  auto found = co_await answer<std::vector<port::topic_description>>(
      at_.loop, [&](auto done) { at_.cluster.describe_topics(wanted, std::move(done)); });
  if (!found) co_return tl::unexpected{found.error()};
  if (found->empty()) co_return std::nullopt;
  co_return found->front();
}

task<result<port::topic_description>> outputs::make_own(port::new_topic wanted) {
  const auto name = wanted.name;
  const std::vector<port::new_topic> made{std::move(wanted)};
  auto created = co_await answer<void>(at_.loop, [&](auto done) { at_.cluster.create_topics(made, std::move(done)); });
  if (!created) co_return tl::unexpected{created.error()};
  auto found = co_await find_own(name);
  if (!found) co_return tl::unexpected{found.error()};
  if (!*found) co_return fail(failure_kind::retriable, name + " is being created");
  co_return **found;
}

std::optional<failure> outputs::unfit_for_lanes(const port::topic_description& topic, const std::string& what) const {
  const auto text = topic.name + " on " + at_.name;
  if (topic.partitions != at_.options.lanes)
    return failure{failure_kind::refused,
                   text + " has " + std::to_string(topic.partitions) + " lanes, and " +
                       std::to_string(at_.options.lanes) + " are configured",
                   "set lanes: " + std::to_string(topic.partitions) + "; the number is fixed at the first start"};
  if (setting(topic, "cleanup.policy") != "compact")
    return failure{failure_kind::refused, text + " is not compacted, so " + what + " would be deleted",
                   "set its cleanup.policy to compact"};
  return std::nullopt;
}

task<result<void>> outputs::prepare_lanes_topic() {
  const auto name = at_.names.lanes_topic();
  auto found = co_await find_own(name);
  if (!found) co_return tl::unexpected{found.error()};
  if (!*found) {
    auto used = co_await outputs_hold_records();
    if (!used) co_return tl::unexpected{used.error()};
    if (*used) {
      // A worker beside this one may have made it in the meantime, and begun.
      found = co_await find_own(name);
      if (!found) co_return tl::unexpected{found.error()};
      if (!*found)
        co_return fail(failure_kind::refused,
                       "the output topics on " + at_.name + " hold records, and " + name + " is missing",
                       "restore that topic; or, to begin anew beside what is there, start once with --fresh");
    } else {
      port::new_topic lanes{.name = name,
                            .partitions = at_.options.lanes,
                            .settings = {{"cleanup.policy", "compact"},
                                         {"message.timestamp.type", "LogAppendTime"},
                                         {"segment.bytes", std::string{lanes_segment}}}};
      found = co_await make_own(std::move(lanes));
      if (!found) co_return tl::unexpected{found.error()};
    }
  }
  const auto& topic = **found;
  if (auto unfit = unfit_for_lanes(topic, "positions")) co_return tl::unexpected{*unfit};
  if (setting(topic, "message.timestamp.type") != "LogAppendTime")
    co_return fail(failure_kind::refused, name + " on " + at_.name + " does not stamp its records itself",
                   "set its message.timestamp.type to LogAppendTime");
  // The newest segment is never compacted, and without a group's offset a takeover reads all that is left.
  if (const auto size = setting(topic, "segment.bytes"); std::strtoull(size.c_str(), nullptr, 10) > largest_segment)
    co_return fail(failure_kind::refused, name + " on " + at_.name + " has segments of " + size + " bytes",
                   "set its segment.bytes to " + std::string{lanes_segment} + ", so that takeovers stay quick");
  co_return result<void>{};
}

std::string outputs::changelog() const {
  return topic_of(at_.topology.sinks()[at_.topology.processes()[*at_.process].changes], at_.names, {});
}

// The two come to be together, this one first. One that is missing beside positions would be forgetting.
task<result<void>> outputs::prepare_changelog() {
  if (!at_.process) co_return result<void>{};
  const auto name = changelog();
  auto lanes = co_await find_own(at_.names.lanes_topic());
  if (!lanes) co_return tl::unexpected{lanes.error()};
  auto found = co_await find_own(name);
  if (!found) co_return tl::unexpected{found.error()};
  if (!*found && *lanes && !at_.options.fresh)
    co_return fail(
        failure_kind::refused,
        name + " on " + at_.name + " is missing, and with it what the process keeps that has positions there",
        "restore that topic; or, to begin with nothing kept, start once with --fresh");
  if (!*found) {
    port::new_topic wanted{.name = name,
                           .partitions = at_.options.lanes,
                           .settings = {{"cleanup.policy", "compact"}, {"segment.bytes", std::string{lanes_segment}}}};
    found = co_await make_own(std::move(wanted));
    if (!found) co_return tl::unexpected{found.error()};
  }
  if (auto unfit = unfit_for_lanes(**found, "what is kept")) co_return tl::unexpected{*unfit};
  changelog_ = make_route(**found, number_of(name));
  co_return result<void>{};
}

task<result<void>> outputs::prepare_commands_topic() {
  if (at_.topology.parking().empty()) co_return result<void>{};
  const std::vector<port::new_topic> wanted{
      {.name = at_.names.commands_topic(), .partitions = 1, .settings = {{"cleanup.policy", "compact"}}}};
  auto created =
      co_await answer<void>(at_.loop, [&](auto done) { at_.cluster.create_topics(wanted, std::move(done)); });
  co_return created;
}

task<result<bool>> outputs::outputs_hold_records() {
  if (at_.options.fresh) co_return false;
  std::set<std::string> outputs;
  for (std::uint32_t i = 0; i < at_.topology.sinks().size(); ++i) {
    if (!names_topics(i) || at_.topology.sinks()[i].takes_letters) continue;
    const auto& sink = at_.topology.sinks()[i];
    for (const auto& from : at_.reading.sources())
      if (lead_to(sink, from->entries)) outputs.insert(topic_of(sink, at_.names, from->called));
    // Of a topic of its own that is not made yet, the name is known.
    for (const auto source : sink.sources)
      if (const auto& through = at_.topology.sources()[source].through; !through.empty())
        outputs.insert(topic_of(sink, at_.names, through));
  }
  auto topics = co_await answer<std::vector<port::topic_description>>(
      at_.loop, [&](auto done) { at_.cluster.list_topics(std::move(done)); });
  if (!topics) co_return tl::unexpected{topics.error()};
  std::vector<topic_partition> where;
  for (const auto& topic : *topics)
    if (outputs.contains(topic.name))
      for (std::int32_t p = 0; p < topic.partitions; ++p) where.push_back({topic.name, p});
  if (where.empty()) co_return false;
  auto first = co_await answer<std::vector<std::int64_t>>(at_.loop, [&](auto done) {
    at_.cluster.find_offsets(where, {port::offset_query::kind::earliest}, std::move(done));
  });
  if (!first) co_return tl::unexpected{first.error()};
  auto behind = co_await answer<std::vector<std::int64_t>>(at_.loop, [&](auto done) {
    at_.cluster.find_offsets(where, {port::offset_query::kind::high_watermark}, std::move(done));
  });
  if (!behind) co_return tl::unexpected{behind.error()};
  co_return *first != *behind;
}

std::vector<outputs::output> outputs::all() const {
  std::vector<output> found;
  const auto& sinks = at_.topology.sinks();
  for (std::uint32_t i = 0; i < sinks.size(); ++i) {
    if (!names_topics(i)) continue;
    for (const auto& from : at_.reading.sources())
      if (lead_to(sinks[i], from->entries))
        found.push_back({i, from.get(), topic_of(sinks[i], at_.names, from->called)});
  }
  for (const auto& [sink, topic] : asked_for_) found.push_back({sink, nullptr, topic});
  return found;
}

std::optional<failure> outputs::leads_back() const {
  if (!at_.is_home()) return std::nullopt;
  for (const auto& [sink, from, topic] : all()) {
    const bool is_own = at_.topology.sinks()[sink].names == sink_spec::naming::own;
    if (!from || is_own || !at_.reading.selects(topic)) continue;
    return engine::leads_back(at_.topology.sinks()[sink].name, topic, at_.name, at_.options.home);
  }
  return std::nullopt;
}

task<result<void>> outputs::prepare_routes() {
  if (auto refused = leads_back()) co_return tl::unexpected{*refused};
  const auto& sinks = at_.topology.sinks();
  if (at_.outside)
    for (const auto& from : at_.reading.sources())
      if (lead_to(sinks[*at_.outside], from->entries)) routes_.add(*at_.outside, *from, outside());
  if (changelog_)
    for (const auto& from : at_.reading.sources())
      routes_.add(at_.topology.processes()[*at_.process].changes, *from, *changelog_);
  auto outputs = all();
  // Whatever a record names is a matter of that record alone.
  std::erase_if(outputs, [&](const output& each) {
    const bool is_read = !each.from && at_.is_home() && at_.reading.selects(each.topic);
    const auto* alias = at_.name == at_.options.home ? "" : ", since that is the home cluster by another name";
    if (is_read)
      routes_.add(each.sink, forbidden(each.topic, each.topic + " on " + at_.name + " is read as well" + alias +
                                                       "; name another topic"));
    return is_read;
  });
  std::map<std::string, wanted_topic> wanted;
  for (const auto& each : outputs) {
    const auto& sink = sinks[each.sink];
    const auto leads = [&](const auto& from) { return lead_to(sink, from->entries); };
    const auto& sources = at_.reading.sources();
    const auto* like = each.from ? each.from : std::find_if(sources.begin(), sources.end(), leads)->get();
    auto& how = wanted.try_emplace(each.topic, wanted_topic{like, &sink}).first->second;
    how.from.insert(like->where.topic);
    // Several topics that go to one keep their partitions if it has as many as the largest.
    if (like->topic_partitions > how.like->topic_partitions) how.like = like;
    if (each.from && sink.create && sink.keeps_partition)
      how.partitions = std::max(how.partitions, each.from->topic_partitions);
  }
  auto found = co_await find_or_create(wanted);
  if (!found) co_return tl::unexpected{found.error()};
  for (const auto& [name, how] : wanted)
    if (const auto there = found->find(name); there != found->end() && how.by->names == sink_spec::naming::own)
      if (auto unfit = unfit_for_passage(there->second, how.by->partitions)) co_return tl::unexpected{*unfit};
  if (auto grown = co_await grow(wanted, *found); !grown) co_return grown;
  for (const auto& [sink, from, topic] : outputs) {
    const auto there = found->find(topic);
    if (there == found->end()) continue;
    auto to = make_route(there->second, number_of(topic));
    to.is_growing = growing_.contains(topic);
    if (from)
      routes_.add(sink, *from, std::move(to));
    else
      routes_.add(sink, std::move(to));
  }
  co_return result<void>{};
}

// What is missing and cannot be made is said, and holds up only what would be written there.
task<result<outputs::known_topics>> outputs::find_or_create(std::map<std::string, wanted_topic> wanted) {
  using topics = std::vector<port::topic_description>;
  std::vector<std::string> names;
  for (const auto& [name, how] : wanted) names.push_back(name);
  const auto describe = [&](auto done) { at_.cluster.describe_topics(names, std::move(done)); };
  known_topics known;
  const auto learn = [&](topics& found) {
    for (auto& each : found) wanted.erase(each.name), known.insert_or_assign(each.name, std::move(each));
  };
  auto found = co_await answer<topics>(at_.loop, describe);
  if (!found) co_return tl::unexpected{found.error()};
  learn(*found);

  std::set<std::string> leading;
  for (const auto& [name, how] : wanted)
    if (how.by->create) leading.insert(how.from.begin(), how.from.end());
  const std::vector<std::string> models{leading.begin(), leading.end()};
  std::optional<failure> refused;
  if (!models.empty()) {
    auto originals = co_await answer<topics>(
        at_.loop, [&](auto done) { at_.reading.home().describe_topics(models, std::move(done)); });
    if (!originals) co_return tl::unexpected{originals.error()};
    std::vector<port::new_topic> made;
    for (const auto& [name, how] : wanted)
      if (how.by->create)
        if (const auto model = model_of(*originals, how.like->where.topic, how.from))
          made.push_back(made_for(*how.by, *model, name));
    // A topic of another region's records takes their timestamps as they are.
    for (auto& each : made)
      each.settings.emplace("message.timestamp.after.max.ms", std::to_string(std::numeric_limits<std::int64_t>::max()));
    auto created =
        co_await answer<void>(at_.loop, [&](auto done) { at_.cluster.create_topics(made, std::move(done)); });
    if (!created) refused = created.error();
    found = co_await answer<topics>(at_.loop, describe);
    if (!found) co_return tl::unexpected{found.error()};
    learn(*found);
  }
  missing_.reset();
  if (wanted.empty()) co_return known;
  std::string all;
  for (const auto& [name, how] : wanted) all += (all.empty() ? "" : ", ") + name;
  missing_ = refused.value_or(failure{failure_kind::missing, "on " + at_.name + " there is no topic " + all,
                                      "create it, or let the program create what is missing (topics.create)"});
  co_return known;
}

// A source that was expanded takes its outputs along.
task<result<void>> outputs::grow(const std::map<std::string, wanted_topic>& wanted, known_topics& known) {
  growing_.clear();
  std::vector<std::string> small;
  for (const auto& [name, topic] : known)
    if (topic.partitions < wanted.at(name).partitions) small.push_back(name);
  if (small.empty()) co_return result<void>{};
  std::map<std::string, failure> refused;
  for (const auto& name : small) {
    const auto total = wanted.at(name).partitions;
    auto added =
        co_await answer<void>(at_.loop, [&](auto done) { at_.cluster.add_partitions(name, total, std::move(done)); });
    if (!added) refused.emplace(name, added.error());
  }
  auto found = co_await answer<std::vector<port::topic_description>>(
      at_.loop, [&](auto done) { at_.cluster.describe_topics(small, std::move(done)); });
  if (!found) co_return tl::unexpected{found.error()};
  for (auto& each : *found) {
    const auto total = wanted.at(each.name).partitions;
    const auto why = refused.find(each.name);
    // Where another worker was quicker, this one was refused, and nothing is wrong.
    if (each.partitions >= total) {
      at_.log(severity::info, at_.name + ": " + each.name + " has " + std::to_string(total) + " partitions now");
    } else if (why == refused.end() || heals(why->second.kind)) {
      growing_.insert(each.name);
      const failure being{failure_kind::retriable, each.name + " on " + at_.name + " is being expanded", {}};
      if (!missing_) missing_ = why == refused.end() ? being : why->second;
    } else {
      at_.log(severity::warn, at_.name + ": " + each.name + " cannot be expanded: " + to_string(why->second));
    }
    known.insert_or_assign(each.name, std::move(each));
  }
  co_return result<void>{};
}

bool outputs::concern(const lane& of, const topic_partition& where) const {
  if (where == at_.lane_topic(of.number)) return true;
  if (changelog_ && where.topic == changelog_->name) return where.partition == of.number;
  return std::any_of(of.courses.begin(), of.courses.end(), [&](const auto& each) {
    return routes_.lead(at_.topology.sinks(), *each->from, where);
  });
}

}  // namespace flow::engine
