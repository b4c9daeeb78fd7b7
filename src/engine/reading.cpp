#include "reading.hpp"

#include <algorithm>
#include <limits>

#include "refusals.hpp"

namespace flow::engine {
namespace {

// What one turn takes at most, so that answers and the group's events are never left waiting for long.
constexpr std::size_t records_per_turn = 4096;
// A target may hold the others up for this long at once, and for a tenth of the time on average.
constexpr auto patience = std::chrono::milliseconds{100};

// What could not be read again is not asked for again at once.
constexpr auto look_back_again = std::chrono::seconds{1};

}  // namespace

/// Reads again what the dedups have to know, for nobody: nothing that the operators make of it is wanted.
struct reading::look_back final : destination {
  look_back(const course& who, std::int64_t first, std::int64_t until) : wanted{who}, until{until} {
    at.from = wanted.from;
    at.of = &nobodys;
    at.next = first;
    nobodys.to = this;
  }

  void append(const route&, const emission&, const course&, const fetched_record&,
              const std::shared_ptr<held>&) override {}
  const class routes& routes() const override { return nowhere; }
  std::uint64_t sinks() const override { return 0; }
  std::optional<std::uint32_t> process() const override { return {}; }
  bool full() const override { return false; }
  bool used_up() const override { return false; }
  bool idle() const override { return false; }
  void interrupted(course&, const failure& what) override { why = what; }
  void resolve(std::uint32_t, const std::string&) override {}
  void halt(course&, const std::string& reason) override { why = failure{failure_kind::fatal, reason, {}}; }
  void hold(course&, const blame& what) override {
    why = failure{failure_kind::retriable, what.node + ": " + what.reason, {}};
  }
  const refusal* refused(const source_record&) const override { return nullptr; }
  void passed_over(std::uint32_t, const source&, std::int64_t, const std::string&) override {}
  void parked(const course&, std::string_view, std::int64_t) override {}
  bool make_calls(course&, std::int64_t) override { return true; }

  bool is_done() const { return next_of(at) >= until; }

  course wanted;
  std::int64_t until;
  course at;
  std::optional<failure> why;
  time_point again = time_point::max();

 private:
  class routes nowhere;
  lane nobodys;
};

reading::~reading() = default;

reading::reading(surroundings with)
    : with_{std::move(with)},
      how_{with_.topology.co_partitioned().empty() ? spread() : by_number()},
      changed_{with_.loop},
      trouble_{with_.loop, with_.log, with_.options.home},
      operators_{with_.topology},
      shared_pages_{with_.loop, with_.options, with_.topology, with_.home, with_.wall_clock, with_.log},
      memories_{with_.loop, with_.topology, with_.state, with_.beyond, shared_pages_, with_.log},
      learned_{with_.loop},
      omissions_{with_.log, with_.options.home} {
  for (const auto& spec : with_.topology.sources())
    selections_.emplace_back(spec, with_.options.application, with_.options.home);
  shared_ = open_intake(with_.home);
}

std::unique_ptr<intake> reading::open_intake(port::cluster& of) {
  return std::make_unique<intake>(
      with_.topology, operators_, memories_, omissions_, with_.wall_clock,
      of.open_reader({.buffer = with_.options.share.reader, .batch = with_.options.share.batch}, with_.wake));
}

task<void> reading::discover() {
  backoff pause;
  for (;;) {
    if (cluster_id_.empty()) {
      auto id = co_await answer<std::string>(with_.loop, [&](auto done) { with_.home.identify(std::move(done)); });
      if (id) {
        cluster_id_ = *id;
      } else {
        trouble_.raise(id.error());
        co_await with_.loop.sleep(pause());
        continue;
      }
    }
    auto topics = co_await answer<std::vector<port::topic_description>>(
        with_.loop, [&](auto done) { with_.home.list_topics(std::move(done)); });
    if (!topics) {
      trouble_.raise(topics.error());
      co_await with_.loop.sleep(pause());
      continue;
    }
    pause.reset();
    listed_.clear();
    for (const auto& topic : *topics) listed_.emplace(topic.name, topic.partitions);
    if (version_ == 0 && memories_.used()) co_await settle_dedup_key();
    // Topics that are expanded while this runs are expanded one after the other.
    const auto unequal = not_co_partitioned(*topics);
    if (unequal && version_ == 0) {
      ended_ = unequal;
      with_.log(severity::error, with_.options.home + ": " + to_string(*ended_));
      changed_.notify();
      co_return;
    }
    const bool added = !unequal && add_sources(*topics);
    if (unequal)
      trouble_.raise(*unequal);
    else if (auto missing = missing_among(*topics))
      trouble_.raise(*missing);
    else
      trouble_.settle();
    if (added || version_ == 0) {
      ++version_;
      changed_.notify();
    }
    co_await with_.loop.sleep(with_.options.discover_every);
  }
}

/// What a name was given for and is not there; a pattern may match nothing as long as something is read.
std::optional<failure> reading::missing_among(const std::vector<port::topic_description>& topics) const {
  if (const auto missing = missing_topics(with_.topology, topics); !missing.empty())
    return failure{failure_kind::missing, "on " + with_.options.home + " there is no topic " + missing,
                   "create it, or correct the name, or grant this user DESCRIBE on it; it is looked for again"};
  if (sources_.empty())
    return failure{failure_kind::missing, "no topic on " + with_.options.home + " matches what the topology reads",
                   "create one, or correct the patterns; they are looked for again"};
  return std::nullopt;
}

/// Equal keys meet only if they are spread over equally many partitions.
std::optional<failure> reading::not_co_partitioned(const std::vector<port::topic_description>& topics) const {
  for (const auto& group : with_.topology.co_partitioned()) {
    const port::topic_description* first = nullptr;
    for (const auto& topic : topics) {
      const bool read =
          std::any_of(group.begin(), group.end(), [&](auto i) { return selections_[i].contains(topic.name); });
      if (!read) continue;
      if (!first) first = &topic;
      if (topic.partitions != first->partitions)
        return failure{failure_kind::refused,
                       first->name + " has " + std::to_string(first->partitions) + " partitions, " + topic.name +
                           " has " + std::to_string(topic.partitions) + ", and the topology joins them by key",
                       "give both the same number of partitions"};
    }
  }
  return std::nullopt;
}

bool reading::add_sources(const std::vector<port::topic_description>& topics) {
  bool added = false;
  for (const auto& topic : topics) {
    std::vector<std::uint32_t> specs;
    for (std::uint32_t i = 0; i < selections_.size(); ++i)
      if (selections_[i].contains(topic.name)) specs.push_back(i);
    if (specs.empty()) continue;
    for (std::int32_t p = 0; p < topic.partitions; ++p) {
      const topic_partition where{topic.name, p};
      if (known_.contains(where)) continue;
      const auto until = end_of(where, specs);
      if (!until) continue;
      auto fresh = std::make_unique<source>();
      fresh->until = *until;
      fresh->id = static_cast<source_id>(sources_.size());
      fresh->where = where;
      const auto& through = with_.topology.sources()[specs.front()].through;
      fresh->called = through.empty() ? topic.name : through;
      fresh->task = how_.task_of(where, with_.options.lanes);
      fresh->topic_partitions = topic.partitions;
      fresh->found_in = version_ + 1;
      for (const auto spec : specs) fresh->entries.push_back({spec, with_.options.home, topic.name, p});
      known_.emplace(where, fresh.get());
      sources_.push_back(std::move(fresh));
      added = true;
    }
  }
  return added;
}

bool reading::selects(std::string_view topic) const {
  const auto& specs = with_.topology.sources();
  for (std::size_t i = 0; i < selections_.size(); ++i)
    if (!specs[i].until && selections_[i].contains(topic)) return true;
  return false;
}

std::optional<std::int64_t> reading::end_of(const topic_partition& where,
                                            const std::vector<std::uint32_t>& specs) const {
  std::optional<std::int64_t> furthest;
  for (const auto i : specs) {
    const auto& until = with_.topology.sources()[i].until;
    if (!until) return std::numeric_limits<std::int64_t>::max();
    if (const auto end = until->find(where); end != until->end())
      furthest = std::max(furthest.value_or(0), end->second);
  }
  return furthest;
}

std::vector<const source*> reading::of_task(std::int32_t task) const {
  std::vector<const source*> found;
  for (const auto& each : sources_)
    if (each->task == task) found.push_back(each.get());
  return found;
}

void reading::board(course& who) {
  if (memories_.used() && !memories_.suffice(who)) return begin_look_back(who);
  if (shared_->board(who)) return;
  own_intake(who.of->to)->board(who);
}

void reading::begin_look_back(const course& who) {
  auto& under_way = look_backs_[who.from->id];
  if (under_way) return;
  under_way = std::make_unique<look_back>(who, memories_.first_missing(who), memories_.next_known(who));
  with_.log(severity::info, with_.options.home + ": reads " + to_string(who.from->where) + " again from offset " +
                                std::to_string(under_way->at.next) + " to " + std::to_string(under_way->until) +
                                ", for what its ids have been");
  if (!backwards_) backwards_ = open_intake(with_.home);
  backwards_->board(under_way->at);
}

bool reading::go_on_looking_back() {
  if (look_backs_.empty()) return false;
  const auto now = with_.loop.now();
  bool moved = backwards_->run(records_per_turn, nullptr);
  std::erase_if(look_backs_, [&](auto& each) {
    auto& [id, under_way] = each;
    if (under_way->why && under_way->again == time_point::max()) {
      const bool is_gone =
          under_way->why->kind == failure_kind::out_of_range || under_way->why->kind == failure_kind::fatal;
      with_.log(severity::warn, with_.options.home + ": " + to_string(under_way->at.from->where) +
                                    " cannot be read again from offset " + std::to_string(under_way->at.next) + ": " +
                                    to_string(*under_way->why) +
                                    (is_gone ? "; repetitions of what is gone are not seen" : ""));
      if (is_gone) memories_.do_without(under_way->wanted);
      under_way->again = is_gone ? now : now + look_back_again;
    }
    if (!under_way->is_done() && now < under_way->again) return false;
    if (under_way->at.on) backwards_->leave(under_way->at);
    moved = true;
    return true;
  });
  if (look_backs_.empty()) backwards_.reset();
  return moved;
}

std::unique_ptr<intake>& reading::own_intake(intakes& among, destination* to, port::cluster& of) {
  const auto known = std::find_if(among.begin(), among.end(), [&](const auto& each) { return each.first == to; });
  return known == among.end() ? among.emplace_back(to, open_intake(of)).second : known->second;
}

source& reading::letters_of(const source& from, const topic_partition& where, const std::string& cluster) {
  auto& known = letters_[{cluster, from.id}];
  // What was sent looks at it until its transaction is over.
  if (!known) known = std::make_unique<source>(from);
  known->where = where;
  return *known;
}

void reading::board_letters(course& who, port::cluster& there) {
  own_intake(releasing_, who.of->to, there)->board(who);
}

void reading::leave(course& who) {
  if (who.letters) leave(who.letters->at);
  if (!who.on) return;
  const auto id = who.from->id;
  if (who.is_of)
    std::find_if(releasing_.begin(), releasing_.end(), [&](const auto& each) {
      return each.first == who.of->to;
    })->second->leave(who);
  else if (shared_->find(id) == who.on)
    shared_->leave(who);
  else
    own_intake(who.of->to)->leave(who);
}

bool reading::run() {
  bool moved = shared_->run(records_per_turn, nullptr);
  let_laggards_leave();
  if (memories_.used()) {
    if (memories_.needs_room()) memories_.make_room();
    if (memories_.is_worth_saving()) save_memories();
  }
  if (go_on_looking_back()) moved = true;
  for (auto& [to, own] : catching_up_)
    if (own->run(records_per_turn, shared_.get())) moved = true;
  for (auto& [to, own] : releasing_)
    if (own->run(records_per_turn, nullptr)) moved = true;
  for (auto* own : {&catching_up_, &releasing_})
    std::erase_if(*own, [](const auto& each) { return each.second->empty(); });
  idle_ = !moved;
  return moved;
}

void reading::save_memories() {
  const auto need = [&](const feed& at) { memories_.need(*at.from, at.now); };
  shared_->each_feed(need);
  for (const auto& [to, own] : catching_up_) own->each_feed(need);
  for (const auto& [id, each] : look_backs_) memories_.expect(*each->wanted.from, each->wanted.now);
  memories_.save();
}

bool reading::can_go_on() const {
  const auto any = [](const intakes& own) {
    return std::any_of(own.begin(), own.end(), [](const auto& each) { return each.second->can_go_on(); });
  };
  return shared_->can_go_on() || any(catching_up_) || any(releasing_);
}

// Somebody who reads along has done all that there was.
bool reading::holds_up_others(const destination* slow) const {
  const auto waits = [&](const course* rider) {
    const auto& to = *rider->of->to;
    return &to != slow && to.idle() && !to.full();
  };
  return slow && std::any_of(sources_.begin(), sources_.end(), [&](const auto& each) {
           const auto* at = shared_->find(each->id);
           return at && std::any_of(at->riders.begin(), at->riders.end(), waits);
         });
}

void reading::let_laggards_leave() {
  const auto passed = with_.loop.now() - std::exchange(looked_at_, with_.loop.now());
  held_up_ = std::max(duration{}, holding_up_ ? held_up_ + passed : held_up_ - passed / 10);
  auto* slow = shared_->blocked_by();
  holding_up_ = holds_up_others(slow);
  // By its limit alone it is not slow now and then, but all the time.
  if (!holding_up_ || (held_up_ < patience && !slow->used_up())) return;
  for (const auto& each : sources_) {
    const auto* at = shared_->find(each->id);
    if (!at) continue;
    const auto riders = at->riders;
    for (auto* rider : riders) {
      if (rider->of->to != slow) continue;
      shared_->leave(*rider);
      own_intake(slow)->board(*rider);
    }
  }
  holding_up_ = false;
}

time_point reading::due() const {
  auto due = holding_up_ ? looked_at_ + patience - held_up_ : time_point::max();
  for (const auto& [id, each] : look_backs_) due = std::min(due, each->again);
  return due;
}

}  // namespace flow::engine
