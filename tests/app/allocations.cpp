#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "borrowed_cluster.hpp"
#include "counted_new.hpp"
#include "world.hpp"

namespace flow {
namespace {

using kafka::allocations;

/// What there is to read, from when on, and how much of it has arrived at all targets. To play it allocates nothing.
struct script {
  std::int64_t records;
  std::int64_t per_batch;
  std::atomic<bool> begun{false};
  std::atomic<std::int64_t> arrived{0};
  const std::string value = std::string(100, 'v');
};

class scripted_reader final : public port::reader {
 public:
  scripted_reader(script& of, port::wake readable) : of_{of}, readable_{std::move(readable)} {}

  void assign(source_id id, const topic_partition&, std::int64_t offset) override {
    id_ = id;
    offset_ = offset;
    assigned_ = true;
    readable_();
  }
  void unassign(source_id) override { assigned_ = false; }
  bool poll(fetched& into, std::size_t) override {
    if (!of_.begun || !assigned_) return false;
    for (const auto end = std::min(offset_ + of_.per_batch, of_.records); offset_ < end; ++offset_)
      into.records.push_back({.source = id_,
                              .offset = offset_,
                              .timestamp = 1'700'000'000'000,
                              .key = "k",
                              .value = of_.value,
                              .headers = {}});
    into.buffers = buffers_;
    return !into.empty();
  }

 private:
  script& of_;
  port::wake readable_;
  std::shared_ptr<const void> buffers_ = std::make_shared<int>();
  source_id id_ = 0;
  std::int64_t offset_ = 0;
  bool assigned_ = false;
};

class scripted_source final : public borrowed_cluster {
 public:
  scripted_source(script& of, std::unique_ptr<port::cluster> from) : borrowed_cluster{std::move(from)}, of_{of} {}
  std::unique_ptr<port::reader> open_reader(port::reader_options, port::wake readable) override {
    return std::make_unique<scripted_reader>(of_, std::move(readable));
  }

 private:
  script& of_;
};

/// Drops what was read, and writes what else there is: where the lanes have come to.
class dropping_producer final : public port::producer {
 public:
  dropping_producer(script& of, std::unique_ptr<port::producer> to) : of_{of}, to_{std::move(to)} {}

  void init(port::reply<void> done) override { to_->init(std::move(done)); }
  void limit_batches(std::size_t bytes) override { to_->limit_batches(bytes); }
  topic_id topic(std::string_view name) override {
    const auto id = to_->topic(name);
    if (name == "orders") dropped_ = id;
    return id;
  }
  void begin() override { to_->begin(); }
  void send(outgoing batch) override {
    const auto count = std::erase_if(batch.records, [&](const auto& each) { return each.topic == dropped_; });
    of_.arrived += static_cast<std::int64_t>(count);
    if (!batch.records.empty()) to_->send(std::move(batch));
  }
  void send_offsets(std::vector<port::group_offset> offsets, const port::membership& as,
                    port::reply<void> done) override {
    to_->send_offsets(std::move(offsets), as, std::move(done));
  }
  void commit(port::reply<port::committed> done) override { to_->commit(std::move(done)); }
  void abort(port::reply<int> done) override { to_->abort(std::move(done)); }
  void flush(port::reply<port::committed> done) override { to_->flush(std::move(done)); }

 private:
  script& of_;
  std::unique_ptr<port::producer> to_;
  std::optional<topic_id> dropped_;
};

class dropping_target final : public borrowed_cluster {
 public:
  dropping_target(script& of, std::unique_ptr<port::cluster> from) : borrowed_cluster{std::move(from)}, of_{of} {}
  std::unique_ptr<port::producer> open_producer(port::producer_options options) override {
    return std::make_unique<dropping_producer>(of_, borrowed_cluster::open_producer(std::move(options)));
  }

 private:
  script& of_;
};

/// What an app with two targets allocates, in all its threads, from the first record that it reads to the last one that
/// it writes.
std::size_t cost_of(int batches, int per_batch) {
  script told{.records = batches * per_batch, .per_batch = per_batch};
  world w;
  topology t{"copies"};
  t.from(topic<bytes, bytes>{"orders"}) | filter([](bytes value) { return !value.empty(); }) |
      fan_out("regions", {"tokyo", "oregon"});
  auto options = w.options();
  options.connect = [&, connect = w.clusters.connect()](const auto& name, auto&&... rest) {
    std::unique_ptr<port::cluster> made = connect(name, rest...);
    if (name == "home")
      made = std::make_unique<scripted_source>(told, std::move(made));
    else
      made = std::make_unique<dropping_target>(told, std::move(made));
    return made;
  };
  app one{t, options};
  EXPECT_TRUE(one.start());
  EXPECT_TRUE(eventually([&] { return one.status().ready(); }));
  const auto before = allocations();
  told.begun = true;
  EXPECT_TRUE(eventually([&] { return told.arrived == 2 * told.records; }));
  return allocations() - before;
}

TEST(an_app, allocates_nothing_for_a_record_that_passes_through) {
  constexpr int batches = 100, few = 100, many = 1000;
  const auto of_few = cost_of(batches, few), of_many = cost_of(batches, many);
  RecordProperty("of_few", std::to_string(of_few));
  RecordProperty("of_many", std::to_string(of_many));
  EXPECT_LT(of_many, of_few + batches * (many - few) / 20);
}

}  // namespace
}  // namespace flow
