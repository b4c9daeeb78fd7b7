#include "shared_pages.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <ranges>
#include <utility>

#include "binary.hpp"
#include "digest.hpp"
#include "names.hpp"

namespace flow::engine {
namespace {

using namespace std::chrono_literals;
using kind = port::offset_query::kind;

constexpr char version = 1;
constexpr std::size_t shortest_key = 192;
constexpr std::int32_t most_partitions = 32;
// How long a target may be away beside the longest window, before the source is read again for it.
constexpr auto kept_beyond_the_window = std::chrono::hours{24 * 7};
constexpr std::string_view largest_record = "1048588";
constexpr std::size_t most_waiting = 8u << 20;
constexpr int attempts = 3;
constexpr port::milliseconds read_limit = 5s;
constexpr auto pause_after_a_failure = 60s;
// Milliseconds: clocks differ, and what is needed is told in parts of the window.
constexpr std::int64_t slack = std::chrono::milliseconds{6h}.count(), unlimited = std::numeric_limits<std::int64_t>::min();
// Nothing is deleted before its segment is full or that old.
constexpr std::chrono::milliseconds segment = std::chrono::hours{24};
// Offsets that are read at once; pages are half a megabyte at most.
constexpr std::int64_t piece = 64;

std::uint64_t session_of(const std::string& instance, std::int64_t now) {
  const auto time = std::to_string(now);
  const std::array parts{bytes{instance}, bytes{time}};
  return digest_of(parts);
}

// One of another format is of no use to this program.
std::optional<shared_page> page_in(const port::kept_record& record) {
  if (!record.value) return std::nullopt;
  auto page = decode_shared_page(*record.value);
  return page && page->key.size() >= shortest_key ? std::optional{*std::move(page)} : std::nullopt;
}

}  // namespace

std::string encode(const shared_page& what) {
  encoder out{version};
  out << what.key << what.session << what.last.offset << what.last.timestamp << what.last.hash << what.where.topic
      << what.where.partition << what.from << what.until << static_cast<std::uint32_t>(what.seen.size());
  for (const auto& [node, part] : what.seen) {
    out << node << part.window << part.way << static_cast<std::uint32_t>(part.all.size());
    for (const auto& each : part.all) out << each.high << each.low << each.offset << each.timestamp;
  }
  return out.take();
}

result<shared_page> decode_shared_page(std::string_view data) {
  decoder in{data, version};
  shared_page what;
  std::uint32_t nodes = 0;
  in >> what.key >> what.session >> what.last.offset >> what.last.timestamp >> what.last.hash >> what.where.topic >>
      what.where.partition >> what.from >> what.until >> nodes;
  for (; nodes > 0 && in.good(); --nodes) {
    std::string node;
    std::uint32_t count = 0;
    shared_page::part part;
    in >> node >> part.window >> part.way >> count;
    // More cannot come, whatever it says.
    part.all.reserve(std::min<std::size_t>(count, in.left() / sizeof(occurrence)));
    for (; count > 0 && in.good(); --count) {
      occurrence each;
      in >> each.high >> each.low >> each.offset >> each.timestamp;
      part.all.push_back(each);
    }
    what.seen.insert_or_assign(std::move(node), std::move(part));
  }
  if (in.is_newer())
    return fail(failure_kind::refused, "what dedups have seen was written by a newer version of flow");
  if (!in.is_whole()) return fail(failure_kind::corrupt, "what dedups have seen cannot be read");
  return what;
}

shared_pages::shared_pages(engine::loop& on, const engine::options& options, const plan& topology, port::cluster& home,
                           std::function<std::int64_t()> wall_clock, log_sink log)
    : loop_{on},
      options_{options},
      topology_{topology},
      home_{home},
      wall_clock_{std::move(wall_clock)},
      log_{std::move(log)},
      topic_{names{options.application, options.home}.seen_topic()},
      partitions_{std::min(options.lanes, most_partitions)},
      session_{session_of(options.instance, wall_clock_())},
      producer_{home.open_producer({})},
      more_{on},
      trouble_{on, log_, options.home} {}

task<std::optional<std::string>> shared_pages::agree(std::string own, bool is_made) {
  backoff pause;
  for (int failed = 0;;) {
    result<std::string> key;
    if (!is_made)
      if (auto made = co_await make_topic(); !made) key = tl::unexpected{made.error()};
    if (key) is_made = true, key = co_await find_key();
    if (key && key->empty()) key = co_await offer(own);
    if (key) co_return *key;
    if (key.error().kind != failure_kind::denied && ++failed < attempts) {
      co_await loop_.sleep(pause());
      continue;
    }
    log_(severity::warn, options_.home + ": what the dedups have seen is not shared by " + topic_ +
                             ", so who takes partitions over reads it again from the source: " + to_string(key.error()) +
                             " (allow this user to create, read and write that topic, or turn the sharing off)");
    co_return std::nullopt;
  }
}

// Offers are there before pages, and whoever has lost with one uses another.
task<result<std::string>> shared_pages::find_key() {
  const auto count = static_cast<std::size_t>(partitions_);
  auto asked = co_await gather<std::vector<std::int64_t>>(loop_, count, [&](std::size_t i, auto done) {
    home_.find_offsets({{topic_, static_cast<std::int32_t>(i)}}, {kind::high_watermark}, std::move(done));
  });
  for (std::int32_t i = 0; i < partitions_; ++i) {
    // That of a partition that does not answer may be another; then its pages count for nothing here.
    const auto& behind = asked[static_cast<std::size_t>(i)];
    if (!behind || behind->front() == 0) continue;
    auto newest = co_await read(i, behind->front() - 1, behind->front());
    if (!newest) continue;
    for (const auto& record : newest->records)
      if (auto page = page_in(record); page && !page->where.topic.empty()) co_return page->key;
  }
  co_return co_await first_offer();
}

task<result<std::string>> shared_pages::first_offer() {
  auto there = co_await find(0);
  if (!there) co_return tl::unexpected{there.error()};
  auto offers = co_await read(0, there->begin, std::min(there->end, there->begin + piece));
  if (!offers) co_return tl::unexpected{offers.error()};
  for (const auto& record : offers->records)
    if (auto page = page_in(record)) co_return page->key;
  co_return std::string{};
}

task<result<std::string>> shared_pages::offer(std::string own) {
  shared_page offered;
  offered.key = own;
  outgoing records;
  add_to(records, 0, std::move(offered));
  if (auto sent = co_await send(std::move(records)); !sent) co_return tl::unexpected{sent.error()};
  auto first = co_await first_offer();
  if (first && first->empty()) first = std::move(own);
  co_return first;
}

task<result<void>> shared_pages::make_topic() {
  std::chrono::milliseconds window{};
  for (const auto& each : topology_.dedups()) window = std::max(window, each.window);
  const std::vector<port::new_topic> wanted{
      {.name = topic_,
       .partitions = partitions_,
       .settings = {{"cleanup.policy", "delete"},
                    {"max.message.bytes", std::string{largest_record}},
                    {"retention.ms", std::to_string((window + kept_beyond_the_window).count())},
                    {"segment.ms", std::to_string(segment.count())}}}};
  co_return co_await answer<void>(loop_, [&](auto done) { home_.create_topics(wanted, std::move(done)); });
}

task<result<shared_pages::span>> shared_pages::find(std::int32_t partition) {
  const std::vector<topic_partition> where{{topic_, partition}};
  auto first = co_await answer<std::vector<std::int64_t>>(
      loop_, [&](auto done) { home_.find_offsets(where, {kind::earliest}, std::move(done)); });
  if (!first) co_return tl::unexpected{first.error()};
  auto behind = co_await answer<std::vector<std::int64_t>>(
      loop_, [&](auto done) { home_.find_offsets(where, {kind::high_watermark}, std::move(done)); });
  if (!behind) co_return tl::unexpected{behind.error()};
  co_return span{first->front(), behind->front()};
}

task<result<port::range_read>> shared_pages::read(std::int32_t partition, std::int64_t from, std::int64_t until) {
  const topic_partition where{topic_, partition};
  co_return co_await answer<port::range_read>(loop_, [&](auto done) {
    home_.read_range(where, from, until, port::isolation::read_committed, read_limit, std::move(done));
  });
}

void shared_pages::add_to(outgoing& records, std::int32_t partition, shared_page what) {
  what.session += session_;
  const auto encoded = std::make_shared<std::string>(encode(what));
  records.records.push_back({.topic = producer_->topic(topic_),
                             .partition = partition,
                             .timestamp = wall_clock_(),
                             .key = {},
                             .value = bytes{*encoded},
                             .headers = {}});
  records.buffers.push_back(encoded);
  records.size += encoded->size();
}

// What was not stored is not sent again: it may be old by then, and can be read again from the source.
task<result<void>> shared_pages::send(outgoing what) {
  if (!producer_ready_) {
    auto opened = co_await answer<void>(loop_, [&](auto done) { producer_->init(std::move(done)); });
    if (!opened) co_return opened;
    producer_ready_ = true;
  }
  producer_->send(std::move(what));
  auto stored = co_await answer<port::committed>(loop_, [&](auto done) { producer_->flush(std::move(done)); });
  if (stored) co_return result<void>{};
  producer_ready_ = false;
  co_return tl::unexpected{stored.error()};
}

task<void> shared_pages::run() {
  backoff pause;
  for (;;) {
    while (waiting_.empty()) co_await more_.wait();
    auto sending = std::exchange(waiting_, {});
    if (auto sent = co_await send(std::move(sending)); !sent) {
      trouble_.raise(sent.error());
      co_await loop_.sleep(pause());
      continue;
    }
    if (!std::exchange(left_out_, false)) trouble_.settle();
    pause.reset();
  }
}

void shared_pages::publish(std::int32_t lane, shared_page what) {
  if (!is_open()) return;
  if (waiting_.size >= most_waiting) {
    left_out_ = true;
    return trouble_.raise({failure_kind::retriable, topic_ + " does not take what the dedups have seen as fast as it comes",
                           "what is left out is read again from the source by whoever takes partitions over"});
  }
  what.key = key_;
  add_to(waiting_, lane % partitions_, std::move(what));
  more_.notify();
}

task<result<void>> shared_pages::recall(std::int32_t lane, std::int64_t since, learner& by) {
  if (!is_open() || loop_.now() < ask_again_) co_return result<void>{};
  auto done = co_await recall_from(lane % partitions_, std::max(since, unlimited + slack) - slack, by);
  if (!done) ask_again_ = loop_.now() + pause_after_a_failure;
  co_return done;
}

task<result<void>> shared_pages::recall_from(std::int32_t partition, std::int64_t since, learner& by) {
  auto there = co_await find(partition);
  if (!there) co_return tl::unexpected{there.error()};
  std::map<std::pair<topic_partition, std::uint64_t>, bool> trusted;
  for (auto until = there->end; until > there->begin;) {
    const auto from = std::max(there->begin, until - piece);
    auto some = co_await read(partition, from, until);
    if (!some) co_return tl::unexpected{some.error()};
    for (const auto& record : some->records | std::views::reverse) {
      if (record.timestamp < since) co_return result<void>{};
      const auto page = page_in(record);
      if (!page || page->key != key_ || !by.wants(*page)) continue;
      const auto [known, is_new] = trusted.try_emplace({page->where, page->session}, false);
      if (is_new) known->second = co_await is_of_this_source(*page);
      if (known->second) by.learn(*page);
    }
    if (by.done()) break;
    until = from;
  }
  co_return result<void>{};
}

task<bool> shared_pages::is_of_this_source(const shared_page& what) {
  const auto at = what.last.offset;
  if (at < 0) co_return false;
  auto read = co_await answer<port::range_read>(loop_, [&](auto done) {
    home_.read_range(what.where, at, at + 1, port::isolation::read_committed, read_limit, std::move(done));
  });
  co_return read && !read->records.empty() && fingerprint_of(read->records.front()) == what.last;
}

}  // namespace flow::engine
