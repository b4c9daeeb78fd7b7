#pragma once

#include <flow/ports.hpp>

#include "letters.hpp"

namespace flow::kafka {

/// Stands for a reader that the client could not make, and says why for each source.
class unopened_reader : public port::reader {
 public:
  unopened_reader(failure why, port::wake readable) : why_{std::move(why)}, readable_{std::move(readable)} {}

  void assign(source_id id, const topic_partition&, std::int64_t) override {
    failures_.push_back({id, why_});
    readable_();
  }
  void unassign(source_id id) override {
    std::erase_if(failures_, [&](const source_failure& each) { return each.source == id; });
  }
  bool poll(fetched& into, std::size_t) override {
    into.clear();
    std::swap(into.failures, failures_);
    return !into.empty();
  }

 private:
  const failure why_;
  const port::wake readable_;
  std::vector<source_failure> failures_;
};

/// Stands for a member that the client could not make, and says why.
class unopened_member : public port::member {
 public:
  unopened_member(failure why, std::shared_ptr<port::mailbox> mailbox, const port::wake& readable)
      : why_{std::move(why)}, replies_{std::move(mailbox)} {
    readable();
  }

  std::optional<port::group_event> poll() override {
    if (std::exchange(said_, true)) return std::nullopt;
    return port::group_event{port::group_event::kind::failed, {}, {}, why_};
  }
  void release() override {}
  void leave(port::reply<void> done) override { replies_.addressed(std::move(done))({}); }

 private:
  const failure why_;
  const letters replies_;
  bool said_ = false;
};

}  // namespace flow::kafka
