#include "chaos.hpp"

#include <algorithm>
#include <stdexcept>

#include <flow/partition.hpp>

#include "memory_records.hpp"

namespace flow::testing {
namespace {

using namespace std::chrono_literals;
using memory::microseconds;

constexpr auto turmoil = 15s;
constexpr auto recovery = 120s;
constexpr auto look_every = 500ms;
const std::string source = "orders";
const std::string application = "chaos";
const std::string letters = "letters";

bool is_dropped(const raw_record& what) {
  return what.key && what.key->ends_with('0');
}

std::optional<raw_record> itself(raw_record what) {
  return what;
}

std::optional<raw_record> unless_dropped(const raw_record& what) {
  if (is_dropped(what)) return std::nullopt;
  return what;
}

std::optional<raw_record> if_dropped(const raw_record& what) {
  return is_dropped(what) ? std::optional{what} : std::nullopt;
}

std::optional<raw_record> marked(raw_record what) {
  what.value = "marked " + *what.value;
  return what;
}

// A time of its own, seconds off the one at which it was written.
std::size_t partition_of(const raw_record& what, std::int32_t partition, std::int32_t count) {
  if (count == 0) return static_cast<std::size_t>(partition);
  const auto number = what.key ? key_hash(bytes{*what.key}) : static_cast<std::uint32_t>(partition);
  return number % static_cast<std::uint32_t>(count);
}

std::int64_t own_time(std::int64_t written, std::string_view value) {
  return written + (value.empty() ? 0 : value.back() % 8 * 1000);
}

std::optional<raw_record> at_its_own_time(raw_record what) {
  what.timestamp = own_time(what.timestamp, what.value.value_or(""));
  return what;
}

constexpr std::int64_t pause_that_ends = 1500;

/// Numbers the records of a key, and begins anew where none has come for a while.
struct numbering {
  using state = std::int64_t;
  using output = std::string;
  void operator()(const record<bytes, std::string>& r, process_context<numbering>& here) const {
    here.state() = here.state().value_or(0) + 1;
    here.emit(r.value() + " is " + std::to_string(*here.state()));
    here.call_at_stream_time(r.timestamp() + pause_that_ends);
  }
  void on_stream_time(bytes, process_context<numbering>& here) const {
    here.emit("there were " + std::to_string(*here.state()));
    here.state().reset();
  }
};

std::string text(const raw_record& what) {
  return what.key.value_or("null") + "=" + what.value.value_or("null") + " at " + std::to_string(what.timestamp);
}

}  // namespace

chaos::chaos(std::uint64_t seed) : dice_{seed}, own_{~seed}, disk_{seed / 2}, world_{dice_.roll()} {
  world_.internals().purge_every = 1s;
  // Of its own dice, so that the other seeds stay what they were.
  is_processed_ = seed % 8 == 5;
  // Where nothing fits into memory verdicts are the same, whatever the disk does.
  if (seed % 2 == 0) options_.dedup_memory = 0;
  disk_fails_ = seed % 4 == 0;
  options_.share_seen = seed % 3 != 0;
}

microseconds chaos::between(std::int64_t least_ms, std::int64_t most_ms) {
  return microseconds{least_ms * 1000 +
                      static_cast<std::int64_t>(below(static_cast<std::uint64_t>((most_ms - least_ms) * 1000 + 1)))};
}

void chaos::after(microseconds delay, std::function<void()> what) {
  world_.internals().clock.after(delay, std::move(what));
}

std::optional<std::string> chaos::run() {
  build();
  begin_turmoil();
  if (auto wrong = go_on_for(turmoil)) return wrong;
  end_turmoil();
  for (auto waited = 0ms; !complete(); waited += look_every) {
    if (waited > recovery) {
      for (const auto& each : outputs_)
        if (auto why = wrong_in(each)) return *why;
      return "an output is still incomplete long after everything was healed";
    }
    if (auto wrong = go_on_for(look_every)) return wrong;
  }
  finished_ = true;
  for (const auto& [each, process] : world_.internals().processes) world_.stop(each);
  const auto all_stopped = [&] {
    return std::none_of(instances_.begin(), instances_.end(),
                        [&](const auto& each) { return world_.is_running(each); });
  };
  if (!world_.run_until(all_stopped, 60s)) return "a process that was stopped has not ended";
  if (auto wrong = go_on_for(look_every)) return wrong;
  return std::nullopt;
}

void chaos::build() {
  clusters_ = {"home", "tokyo", "oregon"};
  if (one_in(3)) clusters_.push_back("dublin");
  targets_.assign(clusters_.begin() + 1, clusters_.end());
  partitions_ = 1 + static_cast<std::int32_t>(below(4));
  options_.lanes = 1 + static_cast<std::int32_t>(below(4));
  options_.session = 2s + 1s * below(4);
  options_.commit_every = one_in(2) ? 100ms : 1000ms;
  options_.leave_on_stop = !one_in(3);
  for (const auto& each : clusters_) options_.clusters[each] = {};
  world_.create_topic("home", source, partitions_);
  choose_topology();
  for (const auto* each : {"one", "two", "three"})
    if (instances_.size() < 2 || one_in(2)) instances_.push_back(each);
  if (one_in(4)) cut();
  for (const auto& each : instances_)
    if (one_in(3))
      after(between(0, 8000), [this, each] { start(each); });
    else
      start(each);
}

void chaos::choose_topology() {
  topology t{application};
  const auto add = [&](std::vector<std::string> to, std::string name, auto of, std::int32_t spread_over = 0) {
    const auto count = spread_over > 0 ? spread_over : partitions_;
    for (const auto& each : to) {
      outputs_.push_back({each, name, of, records(static_cast<std::size_t>(count)), name == letters});
      outputs_.back().spread_over = spread_over;
      if (one_in(2)) world_.create_topic(each, name, count);
    }
  };
  constexpr int processed_topology = 8;
  switch (is_processed_ ? processed_topology : below(8)) {
    case 0:
      t.from(topic<bytes, bytes>{source}) | fan_out("regions", targets_);
      add(targets_, source, itself);
      break;
    case 1:
      t.from(topic<bytes, bytes>{source}) |
          filter("business", [](bytes key, bytes) { return !key.view().ends_with('0'); }) |
          fan_out("regions", targets_, {.rename = "{source}.{topic}"});
      add(targets_, "home." + source, unless_dropped);
      break;
    case 2: {
      t.from(topic<bytes, bytes>{source}) |
          peek("ask",
               [asked = std::make_shared<int>()](bytes) {
                 if (++*asked % 5 == 0) throw std::runtime_error{"no answer"};
               })
              .on_failure(retry(forever, {10ms, 2s})) |
          filter("check",
                 [](bytes key, bytes) {
                   if (key.view().ends_with('0')) throw std::runtime_error{"ends with 0"};
                   return true;
                 })
              .on_failure(dead_letter(letters)) |
          fan_out("regions", targets_);
      add(targets_, source, unless_dropped);
      add({"home"}, letters, if_dropped);
      break;
    }
    case 3: {
      window_ = std::chrono::milliseconds{100 + below(20'000)};
      is_timed_ = one_in(2);
      const auto time = [](const record<bytes, bytes>& r) { return own_time(r.timestamp(), r.value().view()); };
      const auto all =
          is_timed_ ? t.from(topic<bytes, bytes>{source}, {.time = time}) : t.from(topic<bytes, bytes>{source});
      all |
          dedup(
              "seen", [](bytes, bytes value) { return value; }, window_) |
          fan_out("regions", targets_);
      add(targets_, source, is_timed_ ? at_its_own_time : itself);
      break;
    }
    case 4:
      mended_ = std::make_shared<bool>(false);
      t.from(topic<bytes, bytes>{source}) |
          peek("check",
               [mended = mended_, tried = std::make_shared<int>()](const record<bytes, bytes>& r) {
                 if (!*mended && !r.key().is_null() && ++*tried % 6 == 0) throw std::runtime_error{"no answer"};
               })
              .on_failure(retry(1, {10ms, 500ms}).then(park_key(letters))) |
          peek("look",
               [mended = mended_](const record<bytes, bytes>& r) {
                 if (!*mended && !r.key().is_null() && r.origin().offset % 7 == 0)
                   throw std::runtime_error{"not yet"};
               })
              .on_failure(park_key(letters)) |
          fan_out("regions", targets_).on_failure(park_key(letters));
      add(targets_, source, itself);
      for (auto& each : outputs_) each.by_key = true;
      for (auto count = 1 + below(8); count > 0; --count) after(between(2000, 14'000), [this] { release(); });
      break;
    case 5: {
      const auto spread_over = partitions_ * (1 + static_cast<std::int32_t>(below(2)));
      t.from(topic<bytes, bytes>{source}) | repartition("between", spread_over) |
          fan_out("regions", targets_, {.rename = source});
      add(targets_, source, itself, spread_over);
      for (auto& each : outputs_) each.by_key = true;
      keys_of_partitions_ = true;
      break;
    }
    case 6: {
      const auto way = between(1, 40);
      const delivery_options how{
          .in_flight = 1 + static_cast<int>(below(8)),
          .ahead = 1 + static_cast<int>(below(30)),
          .timeout = one_in(2) ? 0ms : std::chrono::ceil<std::chrono::milliseconds>(way * 3 / 2)};
      t.from(topic<bytes, std::string>{source}) |
          async_map(
              "ask", [](const std::string& value) { return value; }, how)
              .on_failure(retry(forever, {10ms, 500ms})) |
          fan_out("regions", targets_, {.rename = source});
      world_.destination(
          "ask", [this](const delivery& what) { return answer(what); }, way);
      null_values_ = false;
      add(targets_, source, marked);
      break;
    }
    case processed_topology:
      t.from(topic<bytes, std::string>{source}) | flow::process("count", numbering{}) |
          fan_out("regions", targets_, {.rename = source});
      null_values_ = false;
      keys_of_partitions_ = true;
      add(targets_, source, [](raw_record what) { return std::optional{std::move(what)}; });
      break;
    default: {
      auto all = t.from(topic<bytes, std::string>{source});
      all | map("mark", [](const std::string& value) { return "marked " + value; }) | to("marked");
      all | fan_out("regions", targets_);
      null_values_ = false;
      add(targets_, source, itself);
      add({"home"}, "marked", marked);
    }
  }
  surroundings where{.clusters = {}, .home = options_.home};
  where.clusters = clusters_;
  plan_ = t.build(where);
}

void chaos::begin_turmoil() {
  // With little to write transactions are hardly ever open, and nothing can hit one half way.
  const auto writes = one_in(4) ? 400 : 10 + below(50);
  for (std::uint64_t i = 0; i < writes; ++i) after(between(0, 14'000), [this] { write_something(); });
  // Few kinds of faults at a time, often: what needs two of the same is found that way.
  std::vector<fault> kinds;
  for (auto count = 1 + below(4); kinds.size() < count;) kinds.push_back(one_of(faults()));
  const auto count = 1 + below(10);
  for (std::uint64_t i = 0; i < count; ++i)
    after(between(0, 14'000), [this, what = one_of(kinds)] { (this->*what.happen)(); });
  if (own_.roll() % 4 == 0)
    for (auto orders = 1 + own_.roll() % 10; orders > 0; --orders)
      after(1us * (own_.roll() % 14'000'000), [this] {
        const auto order = own_.roll() % 3;
        order == 0 ? pause() : order == 1 ? limit() : remove();
      });
  revive_the_dead();
}

void chaos::end_turmoil() {
  note("healed");
  healed_ = true;
  if (mended_) *mended_ = true;
  for (const auto& name : clusters_) {
    auto& each = cluster(name);
    each.set_faults({});
    each.heal();
    for (std::int32_t lane = 0; lane < options_.lanes; ++lane)
      for (const auto* topic : {".lanes.internal", ".changelog.internal"})
        each.delay_markers({lanes_on(name) + topic, lane}, {});
    each.delay_group_markers(lanes_on(name) + ".lanes", {});
  }
  for (const auto& [each, process] : world_.internals().processes) {
    world_.thaw(each);
    world_.crash_at(each, "");
    world_.freeze_at(each, "");
    for (const auto& target : targets_) {
      world_.resume(each, target);
      world_.limit(each, target, std::nullopt);
      world_.add(each, target, beginning);
    }
  }
  if (mended_) release();
}

std::optional<std::string> chaos::go_on_for(microseconds how_long) {
  for (; how_long > 0us; how_long -= look_every) {
    world_.advance(std::min<microseconds>(how_long, look_every));
    if (auto wrong = wrong_now()) return wrong;
  }
  return std::nullopt;
}

std::optional<std::string> chaos::wrong_now() {
  for (const auto& [name, each] : world_.internals().processes) {
    if (const auto why = world_.ended(name)) return name + " has given up: " + to_string(*why);
    for (const auto& target : world_.status(name).targets) {
      if (target.trouble && target.trouble->kind == failure_kind::refused)
        return name + " writes to " + target.cluster + " no more: " + to_string(*target.trouble);
      if (!target.halted.empty())
        return name + ": " + to_string(target.halted.front().where) + " stopped for " + target.cluster + ": " +
               target.halted.front().why;
    }
  }
  for (const auto& each : outputs_) {
    const auto wrong = wrong_in(each);
    if (wrong && wrong->find("is missing") == std::string::npos) return wrong;
  }
  return std::nullopt;
}

std::optional<std::string> chaos::wrong_in(const output& where) {
  auto& topics = cluster(where.cluster).inside()->topics();
  const bool exists = topics.find(where.topic) != topics.end();
  auto actual = exists ? world_.read(where.cluster, where.topic) : records{};
  // Partitions come later than a topic where it grows.
  actual.resize(std::max(actual.size(), where.expected.size()));
  for (std::size_t p = 0; p < where.expected.size(); ++p) {
    const auto name = where.cluster + ": " + where.topic + "/" + std::to_string(p);
    if (where.by_key) {
      if (auto wrong = wrong_by_key(name, actual[p], where.expected[p])) return wrong;
      continue;
    }
    for (std::size_t i = 0; i < actual[p].size(); ++i) {
      auto found = actual[p][i];
      found.offset = 0;
      if (where.letters) std::erase_if(found.headers, [](const auto& each) { return each.key.starts_with("flow."); });
      const auto& expected = where.expected[p];
      if (i >= expected.size())
        return name + ": there should be nothing behind record " + std::to_string(i) + ", found " + text(found);
      if (found != expected[i])
        return name + ": record " + std::to_string(i) + " should be " + text(expected[i]) + ", found " + text(found);
    }
  }
  for (std::size_t p = 0; p < where.expected.size(); ++p)
    if (actual[p].size() < where.expected[p].size())
      return where.cluster + ": " + where.topic + "/" + std::to_string(p) + ": record " +
             std::to_string(actual[p].size()) + " is missing, " + text(where.expected[p][actual[p].size()]);
  return std::nullopt;
}

std::optional<std::string> chaos::wrong_by_key(const std::string& name, const std::vector<raw_record>& actual,
                                               const std::vector<raw_record>& expected) {
  std::map<std::optional<std::string>, std::vector<const raw_record*>> left;
  for (auto each = expected.rbegin(); each != expected.rend(); ++each) left[each->key].push_back(&*each);
  for (auto found : actual) {
    found.offset = 0;
    auto& of_key = left[found.key];
    if (of_key.empty()) return name + ": there should be nothing more of its key behind " + text(found);
    if (found != *of_key.back()) return name + ": there should be " + text(*of_key.back()) + ", found " + text(found);
    of_key.pop_back();
  }
  return std::nullopt;
}

bool chaos::complete() {
  return std::none_of(outputs_.begin(), outputs_.end(), [&](const auto& each) { return wrong_in(each); });
}

receipt chaos::answer(const delivery& what) {
  if (!healed_ && one_in(10)) return receipt::retriable("not now");
  return receipt::answered("marked " + what.value.str());
}

raw_record chaos::new_record(std::int32_t partition) {
  const auto number = std::to_string(++written_);
  raw_record made{.key = number, .value = "value " + number, .timestamp = world_.wall_clock()};
  if (window_ > 0ms) {
    made.value = "id " + std::to_string(below(40));
    made.timestamp += static_cast<std::int64_t>(below(6000)) - 3000;
    if (one_in(50)) made.timestamp += 1'000'000'000;
  }
  if (mended_) made.key = std::to_string(below(10));
  if (keys_of_partitions_) made.key = std::to_string(partition) + "-" + std::to_string(below(5));
  if (one_in(8)) made.key.reset();
  if (null_values_ && one_in(8)) made.value.reset();
  if (one_in(4)) made.headers = {{"trace", number}, {"trace", std::nullopt}};
  return made;
}

// The rule of dedup, word by word.
bool chaos::is_repeated(raw_record what, std::int32_t partition) {
  if (window_ == 0ms) return false;
  if (is_timed_) what = *at_its_own_time(what);
  const auto window = window_.count();
  auto& before = before_[partition];
  auto& clock = clocks_[partition];
  const bool repeated =
      what.value && std::ranges::any_of(before, [&](const raw_record& each) {
        const bool forgotten = clock.now() != stream_clock::unset && each.timestamp < clock.now() - window;
        return each.value == what.value && std::abs(each.timestamp - what.timestamp) <= window && !forgotten;
      });
  before.push_back(what);
  clock.see(what.timestamp, window_);
  return repeated;
}

// What `numbering` says, word by word.
std::vector<raw_record> chaos::processed(const raw_record& what, std::int32_t partition) {
  std::vector<raw_record> made;
  auto& clock = clocks_[partition];
  auto& keys = counted_[partition];
  const std::string none = "none";
  clock.see(what.timestamp, 24h);
  for (;;) {
    const auto first = std::ranges::min_element(keys, {}, [](const auto& each) { return each.second.until; });
    if (first == keys.end() || first->second.until > clock.now()) break;
    made.push_back({.key = first->first == none ? std::nullopt : std::optional{first->first},
                    .value = "there were " + std::to_string(first->second.count),
                    .timestamp = first->second.until});
    keys.erase(first);
  }
  auto& own = keys[what.key.value_or(none)];
  own.until = what.timestamp + pause_that_ends;
  made.push_back(what);
  *made.back().value += " is " + std::to_string(++own.count);
  return made;
}

std::string chaos::lanes_on(const std::string& cluster) const {
  return application + (is_processed_ && cluster == "home" ? ".home.count" : ".home");
}

void chaos::write_something() {
  const bool in_transaction = one_in(2);
  const bool commits = !in_transaction || !one_in(3);
  std::vector<std::pair<topic_partition, memory::record>> batch;
  for (auto count = 1 + below(8); batch.size() < count;) {
    const auto partition = static_cast<std::int32_t>(below(static_cast<std::uint64_t>(partitions_)));
    const auto made = new_record(partition);
    batch.emplace_back(topic_partition{source, partition}, to_memory(made, world_.wall_clock()));
    if (!commits || is_repeated(made, partition)) continue;
    for (const auto& step : is_processed_ ? processed(made, partition) : std::vector{made})
      for (auto& each : outputs_)
        if (auto expected = each.of(step))
          each.expected[partition_of(step, partition, each.spread_over)].push_back(*expected);
  }
  if (in_transaction)
    cluster("home").append_transaction(batch, commits);
  else
    for (const auto& [where, what] : batch) cluster("home").append(where, what);
}

void chaos::start(const std::string& instance) {
  note("start " + instance);
  if (disk_fails_)
    world_.internals().state(instance).scratch_fails([this] { return !healed_ && disk_.roll() % 4 == 0; });
  world_.start(instance, plan_, options_);
}

void chaos::revive_the_dead() {
  if (finished_) return;
  for (const auto& [name, each] : world_.internals().processes)
    if (!world_.is_running(name) && !world_.ended(name) && (healed_ || one_in(8))) start(name);
  after(500ms, [this] { revive_the_dead(); });
}

const std::vector<chaos::fault>& chaos::faults() {
  static const std::vector<fault> all{{"crash", &chaos::crash},
                                      {"crash at a step", &chaos::crash_at_a_step},
                                      {"two crashes at steps", &chaos::crash_two_at_steps},
                                      {"power cut", &chaos::crash_without_power},
                                      {"freeze", &chaos::freeze},
                                      {"freeze at a step", &chaos::freeze_at_a_step},
                                      {"stop", &chaos::stop},
                                      {"rebalance", &chaos::rebalance},
                                      {"cut", &chaos::cut},
                                      {"sick partition", &chaos::stall},
                                      {"sick partitions", &chaos::stall_some},
                                      {"slow network", &chaos::slow_network},
                                      {"slow records", &chaos::slow_records},
                                      {"late markers", &chaos::late_markers},
                                      {"late lane markers", &chaos::late_lane_markers},
                                      {"late group markers", &chaos::late_group_markers},
                                      {"failed batches", &chaos::failed_batches},
                                      {"lost commits", &chaos::lost_commits},
                                      {"late ends", &chaos::late_ends},
                                      {"expired offsets", &chaos::expire_offsets},
                                      {"compaction", &chaos::compact_lanes}};
  return all;
}

void chaos::crash() {
  const auto who = one_of(instances_);
  if (!world_.internals().processes.contains(who)) return;
  note("crash " + who);
  world_.crash(who);
  if (one_in(4)) world_.lose_state(who);
}

void chaos::crash_at_a_step() {
  const auto who = one_of(instances_);
  if (!world_.internals().processes.contains(who)) return;
  const auto step = steps[below(std::size(steps))];
  note("crash " + who + " at: " + std::string{step});
  world_.crash_at(who, step, 1 + static_cast<int>(below(4)));
}

void chaos::crash_two_at_steps() {
  crash_at_a_step();
  crash_at_a_step();
}

void chaos::crash_without_power() {
  crash();
  world_.internals().state(one_of(instances_)).cut_power(1 + below(3));
}

void chaos::freeze() {
  const auto who = one_of(instances_);
  if (!world_.internals().processes.contains(who)) return;
  note("freeze " + who);
  world_.freeze(who);
  after(between(100, 12'000), [this, who] { note("thaw " + who), world_.thaw(who); });
}

void chaos::freeze_at_a_step() {
  const auto who = one_of(instances_);
  if (!world_.internals().processes.contains(who)) return;
  const auto step = steps[below(std::size(steps))];
  note("freeze " + who + " at: " + std::string{step});
  world_.freeze_at(who, step, 1 + static_cast<int>(below(4)));
  after(between(1000, 12'000), [this, who] { note("thaw " + who), world_.thaw(who); });
}

void chaos::stop() {
  const auto who = one_of(instances_);
  if (!world_.internals().processes.contains(who)) return;
  note("stop " + who);
  world_.stop(who);
}

void chaos::rebalance() {
  const auto who = one_of(instances_);
  note("session of " + who + " ends");
  for (const auto& each : clusters_)
    if (one_in(2)) cluster(each).kill_session(lanes_on(each) + "." + who);
}

void chaos::cut() {
  const auto where = one_of(clusters_);
  note("cut off " + where);
  world_.cut(where);
  after(between(100, one_in(4) ? 14'000 : 4000), [this, where] { note("heal " + where), world_.heal(where); });
}

void chaos::stall() {
  const auto& output = one_of(outputs_);
  const auto partition = static_cast<std::int32_t>(below(output.expected.size()));
  const topic_partition where{output.topic, partition};
  note(to_string(where) + " falls ill on " + output.cluster);
  world_.stall(output.cluster, where);
  after(between(100, one_in(4) ? 14'000 : 4000), [this, where, cluster = output.cluster] {
    note(to_string(where) + " heals on " + cluster);
    world_.recover(cluster, where);
  });
}

// One after the other, and what is refused on top of it.
void chaos::stall_some() {
  for (auto count = 2 + below(3); count > 0; --count) after(between(0, 2000), [this] { stall(); });
  if (one_in(2)) failed_batches();
}

void chaos::suffer(const std::string& what, const std::function<void(memory::faults&)>& change) {
  const auto where = one_of(clusters_);
  note(what + " at " + where);
  change(conditions_[where]);
  cluster(where).set_faults(conditions_[where]);
}

void chaos::slow_network() {
  const auto most = between(1, 400);
  suffer("slow network", [&](auto& with) { with.request.most = with.answer.most = most; });
}

void chaos::slow_records() {
  const auto most = between(100, 5000);
  suffer("slow records", [&](auto& with) { with.records.most = most; });
}

void chaos::late_markers() {
  const auto most = between(100, 5000);
  suffer("late markers", [&](auto& with) { with.marker.most = most; });
}

void chaos::late_lane_markers() {
  const auto where = one_of(clusters_);
  const auto lane = static_cast<std::int32_t>(below(static_cast<std::uint64_t>(options_.lanes)));
  note("late markers of lane " + std::to_string(lane) + " on " + where);
  const auto late = between(100, 8000);
  cluster(where).delay_markers({lanes_on(where) + ".lanes.internal", lane}, {0us, late});
  cluster(where).delay_markers({lanes_on(where) + ".changelog.internal", lane}, {0us, late / 2});
}

void chaos::late_group_markers() {
  const auto where = one_of(clusters_);
  note("late markers of the group on " + where);
  cluster(where).delay_group_markers(lanes_on(where) + ".lanes", {0us, between(100, 8000)});
  // A takeover while they are late is what they matter for.
  if (one_in(2)) after(between(0, 2000), [this] { one_in(2) ? crash() : rebalance(); });
}

void chaos::failed_batches() {
  suffer("failed batches", [](auto& with) { with.failed_batches = 0.2; });
}

void chaos::lost_commits() {
  suffer("lost commits", [](auto& with) { with.lost_commits = 0.1; });
}

void chaos::late_ends() {
  const auto most = between(1000, 3000);
  const double failing = one_in(2) ? 0.1 : 0;
  const auto slow = between(20, 1000);
  suffer("late ends", [&](auto& with) {
    with.late_ends = 0.3;
    with.late_by = {600ms, most};
    with.failed_batches = failing;
    with.records.most = slow;
  });
}

void chaos::expire_offsets() {
  const auto where = one_of(clusters_);
  note("the group's offsets expire on " + where);
  cluster(where).expire_group_offsets(lanes_on(where) + ".lanes");
}

void chaos::compact_lanes() {
  const auto where = one_of(clusters_);
  if (!cluster(where).inside()->topics().contains(lanes_on(where) + ".lanes.internal")) return;
  note("compaction of the lanes on " + where);
  for (const auto* each : {".lanes.internal", ".changelog.internal"})
    if (cluster(where).inside()->topics().contains(lanes_on(where) + each))
      cluster(where).compact(lanes_on(where) + each);
}

void chaos::pause() {
  const auto& who = instances_[own_.roll() % instances_.size()];
  const auto& target = targets_[own_.roll() % targets_.size()];
  if (!world_.internals().processes.contains(who)) return;
  note("pause " + target + " in " + who);
  world_.pause(who, target);
  after(1us * (own_.roll() % 6'000'000), [this, who, target] {
    note("resume " + target + " in " + who);
    world_.resume(who, target);
  });
}

void chaos::remove() {
  const auto& who = instances_[own_.roll() % instances_.size()];
  const auto& target = targets_[own_.roll() % targets_.size()];
  if (!world_.internals().processes.contains(who)) return;
  note("remove " + target + " from " + who);
  world_.remove(who, target);
  after(1us * (own_.roll() % 6'000'000), [this, who, target] {
    note("add " + target + " to " + who);
    world_.add(who, target, beginning);
  });
}

void chaos::limit() {
  const auto& who = instances_[own_.roll() % instances_.size()];
  const auto& target = targets_[own_.roll() % targets_.size()];
  if (!world_.internals().processes.contains(who)) return;
  const auto rate = 1 + own_.roll() % 2000;
  note(target + " takes " + std::to_string(rate) + " bytes per second of " + who);
  world_.limit(who, target, rate);
}

// On one target now and then, and on all of them once everything is healed.
void chaos::release() {
  const auto told = healed_ ? targets_ : std::vector{one_of(targets_)};
  for (const auto& each : told) {
    if (!cluster(each).inside()->topics().contains(application + ".home.commands.internal")) continue;
    note("what is parked on " + each + " is released");
    world_.release(each, application);
  }
}

}  // namespace flow::testing
