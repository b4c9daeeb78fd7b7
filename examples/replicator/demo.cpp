#include "demo.hpp"

#include <algorithm>
#include <chrono>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

#include <flow/app.hpp>
#include <flow/dead_letters.hpp>
#include <flow/memory_clusters.hpp>
#include <flow/verify.hpp>

#include "events.hpp"
#include "sync.hpp"

namespace replicator {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr std::int32_t partitions = 6;
constexpr std::size_t narrow = 2'000, large = 5'000;  // bytes
const std::string home = "ap-southeast-1";
const std::string topic = "business-events";
const std::vector<std::string> all_regions{"ap-northeast-1", "us-west-2", "eu-central-1", "sa-east-1", "af-south-1"};

std::int64_t now_in_milliseconds() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string counted(std::size_t count, const std::string& thing) {
  return std::to_string(count) + " " + thing + (count == 1 ? "" : "s");
}

/// One run of the demo.
class show {
 public:
  show(const demo_options& how, std::ostream& out)
      : how_{how},
        out_{out},
        regions_{all_regions.begin(), all_regions.begin() + how.regions},
        clusters_{how.seed},
        events_{how.seed, partitions, *rules().events},
        expected_(partitions),
        malformed_(partitions) {
    clusters_.create_topic(home, topic, partitions);
    clusters_.create_topic(regions_.front(), topic, partitions, {{"max.message.bytes", std::to_string(narrow)}});
  }

  int run() {
    out_ << "home " << home << ", " << counted(regions_.size(), "region") << ", " << how_.rate << " events/s for "
         << how_.seconds << " s, seed " << how_.seed << std::endl;
    start();
    const auto begun = clock::now();
    const auto whole = std::chrono::seconds{how_.seconds};
    const std::vector<std::pair<clock::duration, std::function<void()>>> script{{whole / 6, [&] { cut(); }},
                                                                                {whole / 3, [&] { make_large(); }},
                                                                                {whole / 2, [&] { crash(); }},
                                                                                {whole * 2 / 3, [&] { heal(); }},
                                                                                {whole * 5 / 6, [&] { release(); }}};
    std::size_t next = 0;
    auto shown = begun;
    for (auto now = begun; now < begun + whole; now = clock::now()) {
      while (made_ < static_cast<std::uint64_t>(how_.rate * std::chrono::duration<double>(now - begun).count())) make();
      if (next < script.size() && now >= begun + script[next].first) script[next++].second();
      if (now >= shown + (on_terminal_ ? 100ms : 1000ms)) {
        show_table();
        shown = now;
      }
      std::this_thread::sleep_for(5ms);
    }
    while (next < script.size()) script[next++].second();
    return verify();
  }

 private:
  settings rules() const {
    settings made;
    made.application = "cross-region-sync";
    made.instance = "demo";
    made.home = home;
    made.targets = regions_;
    made.topics.include = {topic};
    made.events.emplace();
    made.dedup.emplace();
    made.on_failure.policy = last_resort::park_key;
    made.topics.sync_settings.clear();  // one region is narrower than home, on purpose
    made.lanes = partitions;
    made.log.level = flow::severity::error;
    made.state = "";
    made.clusters[home];
    for (const auto& region : regions_) made.clusters[region];
    return made;
  }

  flow::app_options options() {
    auto made = rules().options();
    made.connect = clusters_.connect();
    return made;
  }

  void start() {
    app_ = std::make_unique<flow::app>(sync(rules()), options());
    if (auto started = app_->start(); !started) throw std::runtime_error{to_string(started.error())};
  }

  void make() { send(events_.next(now_in_milliseconds())); }

  void send(event event) {
    clusters_.write(home, topic, event.partition, event.record);
    ++made_;
    const auto partition = static_cast<std::size_t>(event.partition);
    if (event.due == event::fate::repeated) ++repeated_;
    if (event.due == event::fate::malformed) malformed_[partition].push_back(std::move(event.record));
    if (event.due != event::fate::replicated) return;
    ++accepted_;
    expected_[partition].push_back(std::move(event.record));
  }

  void cut() {
    clusters_.cut(regions_.back());
    say("region " + regions_.back() + " is cut off: the others go on");
  }
  void heal() {
    clusters_.heal(regions_.back());
    say("region " + regions_.back() + " is back: it is caught up with separately");
  }
  // Abandoned in the middle of whatever it was doing, as by a kill -9; then a new one under the same instance name.
  void crash() {
    app_->stop(0ms);
    app_.reset();
    start();
    say("the worker has crashed and was started again");
  }

  // What one region does not take holds up none of the others, and there nobody but its customer.
  void make_large() {
    auto event = events_.large(now_in_milliseconds(), large);
    parked_ = *event.record.key;
    send(std::move(event));
    say("an event of " + parked_ + " is too large for " + regions_.front() + ": that customer is parked there");
  }
  void release() {
    wait_until([&] { return somebody_is_parked(); });
    clusters_.change_settings(regions_.front(), topic, {{"max.message.bytes", std::to_string(2 * large)}});
    replay_ = std::async(std::launch::async, [this] {
      return flow::dead_letters{sync(rules()), options()}.replay({.cluster = regions_.front()});
    });
    say("region " + regions_.front() + " takes larger events now: the dead letters are replayed");
  }

  bool somebody_is_parked() const {
    for (const auto& worker : app_->status().workers)
      for (const auto& target : worker.targets)
        if (target.cluster == regions_.front() && !target.parked.empty()) return true;
    return false;
  }

  static void wait_until(const std::function<bool()>& holds) {
    for (const auto limit = clock::now() + 15s; !holds() && clock::now() < limit;) std::this_thread::sleep_for(20ms);
  }

  std::vector<std::size_t> held() {
    std::vector<std::size_t> counts;
    for (const auto& region : regions_) {
      std::size_t count = 0;
      for (const auto& partition : contents(region)) count += partition.size();
      counts.push_back(count);
    }
    return counts;
  }

  std::vector<std::vector<flow::raw_record>> contents(const std::string& region, const std::string& of = topic) {
    try {
      return clusters_.read(region, of);
    } catch (const std::out_of_range&) {
      return std::vector<std::vector<flow::raw_record>>(partitions);  // not created yet
    }
  }

  void say(const std::string& what) {
    if (on_terminal_ && table_shown_) out_ << "\x1b[" << regions_.size() + 2 << "A\x1b[J";
    out_ << "  * " << what << "\n";
    table_shown_ = false;
    show_table();
  }

  void show_table() {
    const auto counts = held();
    if (on_terminal_ && table_shown_) out_ << "\x1b[" << regions_.size() + 2 << "A\x1b[J";
    if (on_terminal_) {
      out_ << "  made " << made_ << ", accepted by the rules " << accepted_ << "\n\n";
      for (std::size_t i = 0; i < regions_.size(); ++i) {
        const auto width = accepted_ == 0 ? 0 : counts[i] * 40 / accepted_;
        out_ << "  " << regions_[i] << std::string(16 - regions_[i].size(), ' ') << std::string(width, '#')
             << std::string(40 - width, '.') << " " << counts[i] << "\n";
      }
    } else {
      out_ << "  made " << made_ << ", accepted " << accepted_ << ":";
      for (std::size_t i = 0; i < regions_.size(); ++i) out_ << " " << regions_[i] << " " << counts[i];
      out_ << "\n";
    }
    out_.flush();
    table_shown_ = true;
  }

  int verify() {
    wait_until([&] {
      return letters_are_there() && std::ranges::all_of(held(), [&](auto count) { return count >= accepted_; });
    });
    const auto replayed = replay_.get();
    show_table();
    bool good = app_->stop(10s) && tell_of(replayed);
    for (const auto& region : regions_) {
      const auto found = contents(region);
      std::size_t differing = 0;
      for (std::size_t p = 0; p < expected_.size(); ++p)
        if (!same(found[p], expected_[p])) ++differing;
      out_ << "  " << region << ": "
           << (differing == 0 ? "every accepted event is there exactly once, in order"
                              : "differs in " + counted(differing, "partition"))
           << "\n";
      good = good && differing == 0;
    }
    std::size_t malformed = 0;
    for (const auto& partition : malformed_) malformed += partition.size();
    const bool kept = letters_are_there();
    out_ << "  " << home << ": " << counted(malformed, "malformed event")
         << (kept ? " set aside in " : " should be, and not all are, in ") << topic << ".dlq\n";
    good = verify_as_users_do() && good && kept;
    out_ << (good ? "verified: " : "NOT verified: ") << accepted_ << " events in " << counted(regions_.size(), "region")
         << ", none of " << counted(repeated_, "repetition")
         << " twice, through a cut, a crash and a parked customer\n";
    return good ? 0 : 3;
  }

  bool tell_of(const flow::result<flow::letters_replayed>& replayed) {
    if (!replayed) {
      out_ << "  the replay has failed: " << to_string(replayed.error()) << "\n";
      return false;
    }
    out_ << "  " << regions_.front() << ": " << counted(replayed->released, "parked customer") << " released\n";
    return replayed->released == 1 && replayed->parked == 0;
  }

  // What was made is not known to it.
  bool verify_as_users_do() {
    std::size_t partitions = 0, differing = 0;
    const auto done = flow::verify(sync(rules()), options(), [&](const flow::verified_partition& each) {
      ++partitions;
      if (each.first || each.behind > 0 || each.set_aside > 0 || !each.stopped.empty()) ++differing;
    });
    out_ << "  replicator verify: " << counted(partitions, "partition") << " compared with home, "
         << (differing == 0 ? "none differs" : std::to_string(differing) + " differ") << "\n";
    return done && differing == 0;
  }

  bool letters_are_there() {
    const auto found = contents(home, topic + ".dlq");
    for (std::size_t p = 0; p < malformed_.size(); ++p)
      if (!std::ranges::equal(found[p], malformed_[p], {}, &flow::raw_record::value, &flow::raw_record::value)) return false;
    return true;
  }

  // Offsets differ from cluster to cluster, and the customer who was parked comes later than the others; nothing else
  // may.
  bool same(const std::vector<flow::raw_record>& found, const std::vector<flow::raw_record>& expected) const {
    const auto is_parked = [&](const flow::raw_record& each) { return each.key == parked_; };
    const auto in_order = [&](std::vector<flow::raw_record> of) {
      for (auto& each : of) each.offset = 0;
      std::ranges::stable_partition(of, is_parked);
      return of;
    };
    return in_order(found) == in_order(expected);
  }

  const demo_options& how_;
  std::ostream& out_;
  const bool on_terminal_ = isatty(STDOUT_FILENO) != 0;
  std::vector<std::string> regions_;
  flow::memory_clusters clusters_;
  event_maker events_;
  std::vector<std::vector<flow::raw_record>> expected_, malformed_;
  std::unique_ptr<flow::app> app_;
  std::string parked_;
  std::future<flow::result<flow::letters_replayed>> replay_;
  std::uint64_t made_ = 0;
  std::uint64_t accepted_ = 0;
  std::uint64_t repeated_ = 0;
  bool table_shown_ = false;
};

}  // namespace

int demo(demo_options& how, flow::invocation& terminal) { return show{how, terminal.out}.run(); }

}  // namespace replicator
