#include "graph.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include <flow/dead_letter.hpp>
#include <flow/partition.hpp>

namespace flow {
namespace {

/// Opens nodes from the sinks upwards, so that what a node feeds is always there.
class graph_opening final : public wiring::opening {
 public:
  graph_opening(const drawn_plan& what, wiring::passage& way, std::vector<node_counts>& counts,
                std::vector<std::unique_ptr<wiring::anchor>>& owned)
      : plan_{what}, way_{way}, counts_{counts}, owned_{owned}, opened_(what.nodes_.size()) {}

  wiring::anchor& open(std::uint32_t node) {
    current_ = node;
    opened_[node] = &plan_.from().nodes()[node].how->open(*this);
    return *opened_[node];
  }

  wiring::passage& way() const override { return way_; }
  wiring::seat seat() const override {
    return {&way_, &counts_[current_], &plan_.nodes_[current_].name, &plan_.placed_[current_].on_failure, current_};
  }
  std::uint32_t ports() const override { return static_cast<std::uint32_t>(plan_.placed_[current_].targets.size()); }
  std::uint32_t sink() const override { return plan_.placed_[current_].number; }
  wiring::recollection memory() const override {
    return {&way_, &counts_[current_], plan_.placed_[current_].number};
  }
  wiring::keeping keeping() const override {
    const std::uint32_t number = plan_.placed_[current_].process;
    return {&way_, number, plan_.processes_[number].changes};
  }
  wiring::anchor& own(std::unique_ptr<wiring::anchor> node) override { return *owned_.emplace_back(std::move(node)); }

 protected:
  std::span<wiring::anchor* const> targets(std::uint32_t port) override {
    targets_.clear();
    for (const std::uint32_t target : plan_.placed_[current_].targets.at(port)) targets_.push_back(opened_[target]);
    return targets_;
  }

 private:
  const drawn_plan& plan_;
  wiring::passage& way_;
  std::vector<node_counts>& counts_;
  std::vector<std::unique_ptr<wiring::anchor>>& owned_;
  std::vector<wiring::anchor*> opened_;
  std::vector<wiring::anchor*> targets_;
  std::uint32_t current_ = 0;
};

constexpr std::size_t most_of_a_key = 192;

class opened_graph final : public graph {
 public:
  explicit opened_graph(std::shared_ptr<const drawn_plan> what)
      : plan_{std::move(what)}, counts_(plan_->nodes_.size()) {
    // Of what is gone when this graph is, so any key will do.
    for (const auto& each : plan_->dedups_)
      seen_.push_back({.ids{each.window, std::string(most_of_a_key, 'k')}, .clock{}, .is_kept_outside = false});
    processes_.resize(plan_->processes_.size());
    graph_opening opening{*plan_, way_, counts_, owned_};
    entries_.resize(plan_->sources_.size());
    for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i].decided.resize(plan_->nodes_[i].deciders.size());
    for (std::uint32_t i = static_cast<std::uint32_t>(counts_.size()); i-- > 0;) {
      wiring::anchor& node = opening.open(i);
      const placed_node& placed = plan_->placed_[i];
      if (plan_->from().nodes()[i].about.is_process) processes_[placed.process] = &node;
      if (plan_->from().nodes()[i].about.source)
        entries_[placed.number] = {static_cast<wiring::inlet*>(&node), &placed.on_failure};
    }
  }

  std::optional<blame> push(const source_partition& from, const fetched_record& record, const transit& how) override {
    entry& into = entries_.at(from.source);
    begin(into, {from.cluster, from.topic, from.partition, record.offset}, &record, how);
    if (how.again) await(*how.again);
    if (how.again && way_.follow(how.again->of->node, way_.awaited_sink, how.again->of->number)) {
      ++counts_[way_.awaited_node].parked;
      return std::nullopt;
    }
    const std::size_t before = how.out.size();
    const std::size_t parked_before = how.parks ? how.parks->size() : 0;
    if (!processes_.empty() && !how.has_come) counted_before_ = counts_;
    into.node->receive(record);
    if (!way_.is_stopped()) return std::nullopt;
    if (way_.stopped->first) counts_ = counted_before_;
    if (how.parks) how.parks->resize(parked_before);
    return stop_at(before);
  }

  std::optional<blame> call(std::uint32_t process, const source_partition& from, const keyed_state::alarm& due,
                            const transit& how) override {
    begin(entries_.at(from.source), {from.cluster, from.topic, from.partition, -1}, nullptr, how);
    const std::size_t before = how.out.size();
    processes_.at(process)->call(due);
    return way_.is_stopped() ? std::optional{stop_at(before)} : std::nullopt;
  }

  std::int64_t time() const override { return way_.time; }

  tl::expected<pulled, blame> pull(std::uint32_t source, const transit& how) override {
    entry& into = entries_.at(source);
    begin(into, {.offset = into.pulled}, nullptr, how);
    const std::size_t before = how.out.size();
    const pulled what = into.node->pull();
    if (way_.is_stopped()) return tl::unexpected{stop_at(before)};
    if (what == pulled::record) ++into.pulled;
    return what;
  }

  const std::vector<node_counts>& counts() const override { return counts_; }

 private:
  struct entry {
    wiring::inlet* node = nullptr;
    const wiring::failure_rule* on_failure = nullptr;
    std::int64_t pulled = 0;
  };

  void begin(const entry& into, const origin& from, const fetched_record* received, const transit& how) {
    way_.from = from;
    way_.received = received;
    way_.active = how.active;
    way_.written = &how.written;
    way_.out = &how.out;
    way_.wall_clock = how.wall_clock;
    way_.omitted = how.omitted;
    way_.before = how.before;
    way_.seen = how.seen ? how.seen : seen_.data();
    way_.kept = how.kept;
    way_.refused = how.refused;
    way_.source_rule = into.on_failure;
    way_.parked = how.parked;
    way_.parks = how.parks;
    way_.holds_back = how.parks && ((how.parked && !how.parked->empty()) || !how.parks->empty());
    ++way_.number;
    way_.again = nullptr;
    way_.awaited = nullptr;
    way_.closed = false;
    way_.stopped.reset();
  }

  void await(return_visit& visit) {
    const auto failed = std::ranges::find(plan_->nodes_, visit.of->node, &node_spec::name);
    const auto node = static_cast<std::size_t>(failed - plan_->nodes_.begin());
    way_.again = &visit;
    way_.awaited = &counts_[node];
    way_.awaited_node = static_cast<std::uint32_t>(node);
    way_.awaited_sink = plan_->placed_[node].on_failure.parked;
    way_.closed = true;
    way_.leads_there.assign(counts_.size(), false);
    way_.leads_there[node] = true;
    for (std::size_t i = node; i-- > 0;)
      way_.leads_there[i] = std::ranges::any_of(plan_->nodes_[i].to, [&](auto to) { return way_.leads_there[to]; });
  }

  blame stop_at(std::size_t before) {
    way_.out->resize(before);
    return std::move(*way_.stopped);
  }

  std::shared_ptr<const drawn_plan> plan_;
  wiring::passage way_;
  std::vector<node_counts> counts_;
  std::vector<std::unique_ptr<wiring::anchor>> owned_;
  std::vector<entry> entries_;
  std::vector<dedup_memory> seen_;
  std::vector<node_counts> counted_before_;
  std::vector<wiring::anchor*> processes_;
};

}  // namespace

std::unique_ptr<graph> drawn_plan::open() const {
  return std::make_unique<opened_graph>(shared_from_this());
}

namespace wiring {
namespace {

const fetched_record no_record{};

const fetched_record& record_of(const passage& way) {
  return way.received ? *way.received : no_record;
}

bool is_wanted(const passage& way, std::uint32_t sink) {
  return (way.active >> sink & 1) != 0;
}

/// Behind `out`, for a sink of letters: the record as it was read.
void post(const passage& way, std::uint32_t sink, const letter& what) {
  const fetched_record& record = record_of(way);
  if (!is_wanted(way, sink)) return;
  emission& e = way.out->emplace_back(emission{.sink = sink,
                                               .timestamp = record.timestamp,
                                               .key = record.key,
                                               .value = record.value,
                                               .headers = headers_of(what, record.headers, *way.written)});
  place_by_number(e, static_cast<std::uint32_t>(way.from.partition));
}

}  // namespace

namespace {

// What somebody else keeps is written down and forgotten there.
void keep(dedup_memory& seen, std::int64_t timestamp) {
  constexpr std::size_t forget_every = 4096;
  seen.clock.see(timestamp, seen.ids.window());
  if (seen.ids.count_of_new() < forget_every) return;
  seen.ids.take_new();
  if (seen.clock.now() != stream_clock::unset) seen.ids.forget_before(seen.clock.now() - seen.ids.window().count());
}

}  // namespace

bool passage::is_awaited(std::uint32_t which) {
  if (which != again->of->number) return false;
  return again->came = true;
}

bool recollection::has_seen(bytes id, std::int64_t timestamp) const {
  if (way->closed) return false;
  if (id.empty()) {
    ++counts->without_id;
    return false;
  }
  auto& seen = way->seen[number];
  const bool known = seen.ids.judge(id, way->from.offset, timestamp, seen.clock.now());
  if (!seen.is_kept_outside) keep(seen, timestamp);
  return known;
}

bool keeping::waits_for_calls(const std::string& node, std::int64_t timestamp) const {
  auto& kept = of();
  kept.see(timestamp);
  if (!kept.is_due_in_stream()) return false;
  // It was here already, and what it has asked for would be gone without it: those calls come behind it.
  if (kept.has_tentative()) return false;
  way->stopped = blame{.node = node, .reason = "calls come first", .first = due_calls{number, kept.clock().now()}};
  return true;
}

void keeping::put(bytes key, kept_of_key what) const {
  auto& kept = of();
  const bytes value = what.is_nothing() ? bytes{} : way->written->keep(bytes{encode(what)});
  way->out->push_back({.sink = changes,
                       .partition = kept.lane(),
                       .timestamp = way->wall_clock,
                       .key = way->written->keep(bytes{kept.name_in_changelog(key)}),
                       .value = value});
  kept.put(key, std::move(what));
}

void keeping::dismiss(const keyed_state::alarm& what) const {
  auto left = of().find(what.key_bytes());
  left.*what.which = kept_of_key::never;
  put(what.key_bytes(), std::move(left));
}

bool passage::follow(std::string_view node, std::uint32_t sink, std::uint32_t which) const {
  const bytes key = record_of(*this).key;
  if (!holds_back || key.is_null() || !is_wanted(*this, sink)) return false;
  const bool was_parked = parked && parked->find(node, key);
  if (!was_parked && std::ranges::find(*parks, node) == parks->end()) return false;
  const auto attempts = again ? again->of->attempts : 0;
  post(*this, sink, {node, letter_reason::parked, follows_its_key, from, attempts, wall_clock, which});
  return true;
}

// Whatever the node's policy is: nobody has decided about the record, so there is nothing to pass over.
void seat::wait(const unanswered& why) const {
  const auto* before = way->before ? way->before->at(*name, turn) : nullptr;
  ++counts->retried;
  way->stopped = blame{.node = *name,
                       .reason = why.what(),
                       .again = pause_after(1 + (before ? before->failed : 0), pauses{}, way->from),
                       .is_unanswered = true,
                       .which = turn};
}

bool seat::hold_back() const {
  if (way->closed || !way->follow(*name, on_failure->parked, turn)) return false;
  ++counts->received;
  ++counts->parked;
  return true;
}

void seat::fail() const {
  // Another branch's, which has had its say.
  if (way->closed && !way->leads_there[node]) return;
  const failure_rule* rule = on_failure;
  auto why = letter_reason::failed;
  bool is_permanent = false;
  std::string text = "an exception that says nothing";
  try {
    throw;
  } catch (const unanswered& e) {
    return wait(e);
  } catch (const undecodable& e) {
    rule = way->source_rule;
    why = letter_reason::undecodable;
    is_permanent = true;
    text = e.what();
  } catch (const permanent_error& e) {
    is_permanent = true;
    text = e.what();
  } catch (const std::exception& e) {
    text = e.what();
  } catch (...) {
  }
  const auto* before = way->before ? way->before->at(*name, turn) : nullptr;
  const int failed = 1 + (before ? before->failed : 0);
  const auto& tries = rule->what.tries();
  const bool in_time = !before || std::chrono::milliseconds{way->wall_clock - before->first} < tries.within;
  if (!is_permanent && failed <= tries.times && in_time) {
    ++counts->retried;
    way->stopped = blame{.node = *name,
                         .reason = std::move(text),
                         .again = pause_after(failed, tries.between, way->from),
                         .which = turn};
    return;
  }
  switch (rule->what.what()) {
    case policy::kind::stop:
      way->stopped = blame{*name, std::move(text)};
      break;
    case policy::kind::skip:
      ++counts->skipped;
      if (way->omitted) way->omitted->push_back({*name, std::move(text), false});
      break;
    case policy::kind::dead_letter:
    case policy::kind::park_key: {
      ++counts->dead_lettered;
      letter what{*name, why, text, way->from, failed, way->wall_clock, turn};
      // Before the node that failed first it is still waited for there, and nowhere else.
      const letter* first = way->again ? way->again->of : nullptr;
      if (first) what.attempts += first->attempts;
      if (way->closed) what.node = first->node, what.reason = first->reason, what.number = first->number;
      // What is released stays parked where it was.
      const bool is_released = way->closed && way->parks;
      const bool parks = is_released || rule->what.what() == policy::kind::park_key;
      const auto sink = is_released ? way->awaited_sink : parks ? on_failure->parked : rule->letters;
      post(*way, sink, what);
      if (way->omitted) way->omitted->push_back({*name, std::move(text), true});
      if (!parks || !way->parks || record_of(*way).key.is_null() || !is_wanted(*way, sink)) break;
      way->parks->push_back(is_released ? first->node : std::string_view{*name});
      way->holds_back = true;
      break;
    }
  }
}

}  // namespace wiring
}  // namespace flow
