#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <variant>
#include <vector>

#include "asker.hpp"

namespace flow::memory {

class memory_reader final : public port::reader, private asker {
 public:
  memory_reader(access by, port::reader_options options, port::wake readable);
  ~memory_reader() override;

  void assign(source_id id, const topic_partition& where, std::int64_t offset) override;
  void unassign(source_id id) override;
  bool poll(fetched& into, std::size_t most) override;

 private:
  struct source {
    topic_partition where;
    std::uint64_t assignment;  ///< tells what was fetched for this one from what was fetched for another of its id
    std::int64_t position;
    std::int64_t reported_end = -1;
    bool fetching = false;
    bool broken = false;
  };
  struct arrival {
    source_id source;
    std::variant<log_slice, reached_end, source_failure> what;
  };

  void fetch(source_id id, source& from);
  void fetch_all();
  void arrived(source_id id, std::uint64_t assignment, result<log_read> read);
  void take(source_id id, log_slice& slice, std::size_t most);

  port::reader_options options_;
  port::wake readable_;
  std::map<source_id, source> sources_;
  std::uint64_t assignments_ = 0;
  std::deque<arrival> arrivals_;
  std::size_t buffered_ = 0;
  std::vector<fetched_record> taken_;
  std::size_t taken_bytes_ = 0;
  std::vector<std::shared_ptr<const packed_records>> lent_;  // what they look at, though it may be deleted meanwhile
  std::shared_ptr<lending_pool> pool_ = std::make_shared<lending_pool>();
};

}  // namespace flow::memory
