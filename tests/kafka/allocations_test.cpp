#include <gtest/gtest.h>
#include <kafka_fixture.hpp>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "cluster.hpp"
#include "counted_new.hpp"

namespace flow::kafka {
namespace {

using namespace std::chrono_literals;

class letterbox : public port::mailbox {
 public:
  void post(std::function<void()> letter) override {
    const std::lock_guard lock{mutex_};
    letters_.push_back(std::move(letter));
    changed_.notify_one();
  }
  void wake() {
    post([] {});
  }
  void open() {
    std::unique_lock lock{mutex_};
    changed_.wait_for(lock, 100ms, [&] { return !letters_.empty(); });
    std::deque<std::function<void()>> come;
    come.swap(letters_);
    lock.unlock();
    for (auto& letter : come) letter();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> letters_;
};

class allocation : public ::testing::Test {
 protected:
  static constexpr int batches = 100;
  static constexpr int per_batch = 1000;
  static constexpr int all = batches * per_batch;

  template <typename T, typename Ask>
  T answer_to(Ask ask) {
    std::optional<result<T>> answer;
    ask([&](result<T> got) { answer.emplace(std::move(got)); });
    while (!answer) box_->open();
    if (!*answer) throw std::runtime_error{answer->error().text};
    if constexpr (!std::is_void_v<T>) return std::move(**answer);
  }

  void create() {
    answer_to<void>([&](auto done) { cluster_->create_topics({{topic_, 1, 1, {}}}, done); });
  }

  /// Sends everything in one transaction and says how much was allocated for that.
  std::size_t write() {
    const auto producer = cluster_->open_producer({kafka_fixture::fresh_name("writer")});
    answer_to<void>([&](auto done) { producer->init(done); });
    const topic_id to = producer->topic(topic_);
    std::vector<outgoing> packed(batches);
    for (outgoing& batch : packed) {
      for (int i = 0; i < per_batch; ++i) batch.records.push_back({to, 0, 1'700'000'000'000, "key", value_, {}, false});
      batch.size = per_batch * (value_.size() + 3);
    }
    producer->begin();
    const std::size_t before = allocations();
    for (outgoing& batch : packed) producer->send(std::move(batch));
    answer_to<port::committed>([&](auto done) { producer->commit(done); });
    return allocations() - before;
  }

  const std::shared_ptr<letterbox> box_ = std::make_shared<letterbox>();
  const std::unique_ptr<port::cluster> cluster_ =
      connect({"home", {{"bootstrap.servers", kafka_fixture::bootstrap("home")}}, "allocations"}, box_, {});
  const std::string topic_ = kafka_fixture::fresh_name("allocations");
  const std::string value_ = std::string(100, 'v');
};

TEST_F(allocation, does_not_happen_for_each_record_on_its_way) {
  create();
  EXPECT_LT(write(), all / 20u) << "while writing";

  const auto reader = cluster_->open_reader({}, [box = box_] { box->wake(); });
  fetched batch;
  int records = 0;
  const std::size_t before = allocations();
  reader->assign(0, {topic_, 0}, 0);
  while (records < all) {
    while (reader->poll(batch, per_batch)) records += static_cast<int>(batch.records.size());
    if (records < all) box_->open();
  }
  EXPECT_LT(allocations() - before, all / 20u) << "while reading";
  EXPECT_EQ(records, all);
}

}  // namespace
}  // namespace flow::kafka
