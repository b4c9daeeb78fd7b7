#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "engine/comparison.hpp"
#include "inquiry.hpp"
#include "passage.hpp"
#include "survey.hpp"

#include <flow/ports.hpp>
#include <flow/verify.hpp>

namespace flow {

/// Those of all clusters. Sources have one of their own, so that neither side is in the other's way.
class readers {
 public:
  explicit readers(inquiries& by) : by_{by} {}

  port::reader& at(const std::string& cluster, bool of_sources);
  letter_box& box() { return by_.box(); }

 private:
  inquiries& by_;
  std::map<std::pair<std::string, bool>, std::unique_ptr<port::reader>> opened_;
};

/// The partitions that some sources lead to, while they are read beside these. It has its readers for itself.
class side_by_side {
 public:
  side_by_side(const survey& known, const std::vector<std::size_t>& sources, readers& by);
  ~side_by_side();
  side_by_side(const side_by_side&) = delete;
  side_by_side& operator=(const side_by_side&) = delete;

  /// Reads both sides to their ends. `timed_out` if nothing comes for half a minute, `retriable` if it was told to
  /// stop.
  result<void> run(std::stop_token stop);
  /// What has come of it, once that is over.
  void tell(const std::function<void(const verified_partition&)>& see) const;

 private:
  struct compared {
    const output* is;
    engine::comparison with;
  };
  struct reading {
    const source_at_home* is;
    std::unique_ptr<passage_of_source> through;
    std::optional<halted_partition> stop{};  // the first, where the application stops too
  };
  /// A partition that is read: a source, or what is compared.
  struct stream {
    std::string cluster;
    topic_partition where;
    port::reader* reader;
    source_id id;
    std::int64_t next;
    std::int64_t until;
    std::size_t number;
    bool is_source;
    bool held = false;  // it has run ahead of what it is compared with
    bool ended = false;
  };

  void add_source(const source_at_home& what);
  void add_output(const output& what);
  void open(const std::string& cluster, const topic_partition& where, std::int64_t first, std::int64_t until,
            std::size_t number, bool is_source);
  std::optional<halted_partition> stop_of(const std::string& cluster, std::size_t source) const;
  bool is_over() const;
  bool poll();
  bool are_sources_wanted() const;
  std::vector<const stream*> read_now() const;
  void hold_what_runs_ahead();
  void take(stream& from, const fetched_record& record);
  void take_source(std::size_t number, const fetched_record& record);
  void expect(std::size_t number, const std::string& cluster, const emission& what, const fetched_record& record);
  void take_output(compared& into, const fetched_record& record);
  void end(stream& which);
  void settle();
  failure silence() const;

  const survey& known_;
  readers& by_;
  std::map<std::size_t, std::size_t> places_;  // of a source: its number here
  std::vector<reading> readings_;
  std::vector<compared> compared_;
  std::map<std::pair<std::string, topic_partition>, std::size_t> compared_at_;
  std::vector<stream> streams_;  // by id
  std::size_t most_waiting_ = 0;
  std::optional<failure> failed_;
};

}  // namespace flow
