#include "demo.hpp"

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

#include <flow/app.hpp>
#include <flow/memory_clusters.hpp>

#include "events.hpp"
#include "sync.hpp"

namespace replicator {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr std::int32_t partitions = 6;
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
  }

  int run() {
    out_ << "home " << home << ", " << counted(regions_.size(), "region") << ", " << how_.rate << " events/s for "
         << how_.seconds << " s, seed " << how_.seed << std::endl;
    start();
    const auto begun = clock::now();
    const auto whole = std::chrono::seconds{how_.seconds};
    const std::vector<std::pair<clock::duration, std::function<void()>>> script{
        {whole / 4, [&] { cut(); }}, {whole / 2, [&] { crash(); }}, {whole * 3 / 4, [&] { heal(); }}};
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
    made.on_failure.policy = last_resort::dead_letter;
    made.lanes = partitions;
    made.log.level = flow::severity::error;
    made.state = "";
    made.clusters[home];
    for (const auto& region : regions_) made.clusters[region];
    return made;
  }

  void start() {
    auto options = rules().options();
    options.connect = clusters_.connect();
    app_ = std::make_unique<flow::app>(sync(rules()), std::move(options));
    if (auto started = app_->start(); !started) throw std::runtime_error{to_string(started.error())};
  }

  void make() {
    auto event = events_.next(now_in_milliseconds());
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
    const auto limit = clock::now() + 30s;
    while (clock::now() < limit) {
      bool all = letters_are_there();
      for (const auto count : held()) all = all && count >= accepted_;
      if (all) break;
      std::this_thread::sleep_for(20ms);
    }
    show_table();
    const bool left = app_->stop(10s);
    bool good = left;
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
    good = good && kept;
    out_ << (good ? "verified: " : "NOT verified: ") << accepted_ << " events in "
         << counted(regions_.size(), "region") << ", none of " << counted(repeated_, "repetition")
         << " twice, through a cut and a crash\n";
    return good ? 0 : 3;
  }

  bool letters_are_there() {
    const auto found = contents(home, topic + ".dlq");
    for (std::size_t p = 0; p < malformed_.size(); ++p)
      if (!std::ranges::equal(found[p], malformed_[p], {}, &flow::raw_record::value, &flow::raw_record::value)) return false;
    return true;
  }

  // Offsets differ from cluster to cluster; nothing else may.
  static bool same(const std::vector<flow::raw_record>& found, const std::vector<flow::raw_record>& expected) {
    return std::equal(found.begin(), found.end(), expected.begin(), expected.end(), [](auto a, auto b) {
      a.offset = b.offset = 0;
      return a == b;
    });
  }

  const demo_options& how_;
  std::ostream& out_;
  const bool on_terminal_ = isatty(STDOUT_FILENO) != 0;
  std::vector<std::string> regions_;
  flow::memory_clusters clusters_;
  event_maker events_;
  std::vector<std::vector<flow::raw_record>> expected_, malformed_;
  std::unique_ptr<flow::app> app_;
  std::uint64_t made_ = 0;
  std::uint64_t accepted_ = 0;
  std::uint64_t repeated_ = 0;
  bool table_shown_ = false;
};

}  // namespace

int demo(demo_options& how, flow::invocation& terminal) { return show{how, terminal.out}.run(); }

}  // namespace replicator
