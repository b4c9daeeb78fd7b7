#include "producer.hpp"

#include <algorithm>
#include <utility>

namespace flow::kafka {
namespace {

/// Bytes of records that may wait for the client. The engine keeps a transaction far smaller than this.
constexpr std::size_t most_waiting = 128u << 20;

failure dropped_by_init() {
  return {failure_kind::timed_out, "dropped by a new init of the same producer", {}};
}

}  // namespace

kafka_producer::kafka_producer(const context& in, std::shared_ptr<port::mailbox> mailbox,
                               port::producer_options options)
    : thread_name_{kafka::thread_name(in.to.name, "out")},
      replies_{std::move(mailbox)},
      outbox_{in, std::move(options), [this] { return dropped(); }},
      thread_{[this] { run(); }} {}

kafka_producer::~kafka_producer() {
  {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
    changed_.notify_one();
  }
  thread_.join();
}

void kafka_producer::ask(std::function<void(outbox&)> run, std::function<void()> drop, std::size_t size) {
  const std::lock_guard lock{mutex_};
  waiting_size_ += size;
  waiting_.push_back({era_, size, std::move(run), std::move(drop)});
  changed_.notify_one();
}

template <typename T, typename Ask>
void kafka_producer::ask_for(port::reply<T> done, Ask what) {
  const auto answer = replies_.addressed(std::move(done));
  ask([answer, what = std::move(what)](outbox& out) { answer(what(out)); },
      [answer] { answer(tl::unexpected{dropped_by_init()}); });
}

void kafka_producer::run() {
  name_this_thread(thread_name_);
  std::unique_lock lock{mutex_};
  while (!stopping_) {
    changed_.wait(lock, [&] { return stopping_ || !waiting_.empty(); });
    if (stopping_) break;
    request next = std::move(waiting_.front());
    waiting_.pop_front();
    waiting_size_ -= next.size;
    const bool outdated = next.era != era_;
    era_of_current_ = next.era;
    lock.unlock();
    if (!outdated) {
      next.run(outbox_);
    } else if (next.drop) {
      next.drop();
    }
    next = {};
    lock.lock();
  }
}

void kafka_producer::init(port::reply<void> done) {
  ++era_;
  ask_for<void>(std::move(done), [most = largest_batch_](outbox& out) { return out.init(most); });
}

topic_id kafka_producer::topic(std::string_view name) {
  const auto found = std::ranges::find(*topics_, name);
  const auto id = static_cast<topic_id>(found - topics_->begin());
  if (found != topics_->end()) return id;
  // Batches on their way keep the list that they were made with.
  auto more = std::make_shared<std::vector<std::string>>(*topics_);
  more->emplace_back(name);
  topics_ = std::move(more);
  return id;
}

void kafka_producer::begin() {
  ask([](outbox& out) { out.begin(); });
}

void kafka_producer::send(outgoing batch) {
  if (batch.empty()) return;
  {
    const std::lock_guard lock{mutex_};
    if (waiting_size_ > most_waiting) batch = {};
  }
  if (batch.empty()) {
    return ask([](outbox& out) {
      out.spoil({failure_kind::abortable, "more was sent in one transaction than the cluster takes in time",
                 "the next one has to be smaller"});
    });
  }
  const std::size_t size = batch.size;
  ask([held = std::make_shared<outgoing>(std::move(batch)),
       topics = topics_](outbox& out) { out.send(*held, *topics); },
      {}, size);
}

void kafka_producer::send_offsets(std::vector<port::group_offset> offsets, const port::membership& as,
                                  port::reply<void> done) {
  ask_for<void>(std::move(done),
                [offsets = std::move(offsets), as](outbox& out) { return out.send_offsets(offsets, as); });
}

void kafka_producer::commit(port::reply<port::committed> done) {
  ask_for<port::committed>(std::move(done), [](outbox& out) { return out.commit(); });
}

void kafka_producer::abort(port::reply<int> done) {
  ask_for<int>(std::move(done), [](outbox& out) { return out.abort(); });
}

void kafka_producer::flush(port::reply<port::committed> done) {
  ask_for<port::committed>(std::move(done), [](outbox& out) { return out.flush(); });
}

}  // namespace flow::kafka
