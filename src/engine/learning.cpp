#include <algorithm>
#include <limits>

#include "reading.hpp"

/// What the dedups here learn from those of other workers, so that their source need not be read again.
namespace flow::engine {
namespace {

constexpr auto agreement_limit = std::chrono::seconds{5};
// Offsets.
constexpr std::int64_t not_worth_finding = 1'000;

}  // namespace

// Nothing waits for long for what is of use only later.
task<void> reading::settle_dedup_key() {
  auto own = with_.state.dedup_key();
  std::optional<std::string> agreed;
  if (with_.options.share_seen) {
    agreeing_ = agree(own);
    agreeing_.start();
    const auto limit = with_.loop.now() + agreement_limit;
    while (!agreed_ && with_.loop.now() < limit) co_await learned_.wait_until(limit);
    if (!agreed_)
      with_.log(severity::warn, with_.options.home + ": " + shared_pages_.topic() +
                                    " does not answer, so what the dedups have seen is not shared until the next start");
    agreed = agreed_.value_or(std::nullopt);
    agreeing_ = {};
  }
  const auto key = with_.state.settle_dedup_key(agreed.value_or(own));
  memories_.hash_by(key);
  if (!agreed) co_return;
  shared_pages_.open(key);
  sharing_ = shared_pages_.run();
  sharing_.start();
}

task<void> reading::agree(std::string own) {
  agreed_ = co_await shared_pages_.agree(std::move(own), listed_.contains(shared_pages_.topic()));
  learned_.notify();
}

// Several targets may take over lanes at once that read the same.
task<void> reading::learn(std::vector<course*> lacking) {
  if (!shared_pages_.is_open()) co_return;
  while (learning_) co_await learned_.wait();
  std::erase_if(lacking, [&](const auto* each) { return memories_.suffice(*each); });
  struct turn {
    explicit turn(reading& of) : of{of} { of.learning_ = true; }
    ~turn() {
      of.learning_ = false;
      of.learned_.notify();
    }
    reading& of;
  };
  const turn own{*this};
  std::map<std::int32_t, std::vector<course*>> by_lane;
  for (auto* each : lacking) by_lane[each->from->task].push_back(each);
  for (const auto& [lane, courses] : by_lane) {
    for (const auto* each : courses) memories_.expect(*each->from, each->now);
    co_await learn_of_lane(lane, courses);
    for (const auto* each : courses) memories_.expect(*each->from, each->now);
  }
}

struct reading::learning final : shared_pages::learner {
  learning(class memories& into, const std::vector<course*>& lacking) : into{into} {
    for (const auto* each : lacking) wanted.push_back({each, false});
  }

  // A page that is of no use to a course, or lies before all that it lacks, is not the last of its kind.
  bool wants(const shared_page& what) override {
    bool any = false;
    for (auto& [who, is_done] : wanted) {
      if (is_done || who->from->where != what.where) continue;
      const auto missing = into.first_missing(*who);
      is_done = what.until <= missing || !into.may_learn(*who->from, what);
      any = any || (!is_done && what.from < who->next);
    }
    return any;
  }
  void learn(const shared_page& what) override {
    const source* from = nullptr;
    auto first = std::numeric_limits<std::int64_t>::max();
    for (const auto& [who, is_done] : wanted)
      if (who->from->where == what.where) from = who->from, first = std::min(first, who->look_back_to);
    into.learn(*from, what, first);
    ++pages;
  }
  // What is little is read again sooner than it is found.
  bool done() const override {
    return std::ranges::all_of(wanted, [&](const auto& each) {
      return each.is_done || each.who->next - into.first_missing(*each.who) <= not_worth_finding;
    });
  }

  struct wish {
    const course* who;
    bool is_done;
  };
  class memories& into;
  std::vector<wish> wanted;
  std::uint64_t pages = 0;
};

task<void> reading::learn_of_lane(std::int32_t lane, const std::vector<course*>& lacking) {
  learning by{memories_, lacking};
  auto since = std::numeric_limits<std::int64_t>::max();
  for (const auto* each : lacking) since = std::min(since, memories_.oldest_needed(*each));
  const auto done = co_await shared_pages_.recall(lane, since, by);
  const auto about = with_.options.home + ": lane " + std::to_string(lane) + " has learned what its ids have been";
  if (by.pages > 0)
    with_.log(severity::info, about + ", from " + std::to_string(by.pages) + (by.pages == 1 ? " page" : " pages") +
                                  " of other workers");
  if (!done) with_.log(severity::warn, about + " only as far as it could be asked: " + to_string(done.error()));
}

}  // namespace flow::engine
