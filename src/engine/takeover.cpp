#include <algorithm>
#include <charconv>

#include "target.hpp"

/// Taking over lanes: how a worker comes to know exactly how far they are, whoever wrote them before and however that
/// ended. The order of the steps is the protocol; docs/internals/commit-protocol.md shows what breaks without each.
namespace flow::engine {
namespace {

using namespace std::chrono_literals;
using kind = port::offset_query::kind;
using port::isolation;

// How long an answer may be held up by a transaction of somebody else before we look whose it is.
constexpr auto patience = 1s;

std::int64_t sequence_in(const std::string& metadata) {
  std::int64_t sequence = 0;
  std::from_chars(metadata.data(), metadata.data() + metadata.size(), sequence);
  return sequence;
}

template <typename T>
const failure* first_failure(const std::vector<result<T>>& answers) {
  for (const auto& each : answers)
    if (!each) return &each.error();
  return nullptr;
}

}  // namespace

task<result<void>> target::take_over(std::vector<lane*> lanes) {
  for (auto* each : lanes) {
    for (const auto& course : each->courses) with_.reading.leave(*course);
    each->courses.clear();
    each->taken = false;
  }
  auto read = co_await read_positions(lanes);
  if (!read) co_return read;
  co_await step("positions read");
  for (auto* each : lanes) {
    auto local = with_.state.read({name_, each->number});
    if (!local) co_return tl::unexpected{local.error()};
    if (*local && (*local)->sequence > each->sequence)
      co_return fail(failure_kind::refused,
                     "the state directory knows lane " + std::to_string(each->number) + " on " + name_ +
                         " up to commit " + std::to_string((*local)->sequence) + ", " + names_.lanes_topic() +
                         " only up to " + std::to_string(each->sequence) + ": the cluster has lost commits",
                     "restore that cluster's data; or, to repeat what it lost, move the state directory away");
  }
  auto opened = co_await open_courses(lanes);
  if (!opened) co_return opened;
  co_return co_await claim_lanes(lanes);
}

task<result<void>> target::read_positions(const std::vector<lane*>& lanes) {
  std::vector<topic_partition> where;
  for (const auto* each : lanes) where.push_back(lane_topic(each->number));
  for (;;) {
    // A pending offset is an undecided transaction: "none" would be a guess.
    auto offsets = co_await answer<std::vector<port::group_offset>>(with_.loop, [&](auto done) {
      cluster_.group_offsets(names_.group(), where, isolation::read_committed, patience, std::move(done));
    });
    if (!offsets && offsets.error().kind == failure_kind::timed_out) {
      co_await evict(lanes);
      continue;
    }
    if (!offsets) co_return tl::unexpected{offsets.error()};

    auto first = co_await answer<std::vector<std::int64_t>>(
        with_.loop, [&](auto done) { cluster_.find_offsets(where, {kind::earliest}, std::move(done)); });
    if (!first) co_return tl::unexpected{first.error()};
    // The high watermark, not the last stable offset: the markers of the offsets just fetched may be there while those
    // on this topic are late, and an older open transaction may hold the last stable offset back.
    auto behind = co_await answer<std::vector<std::int64_t>>(
        with_.loop, [&](auto done) { cluster_.find_offsets(where, {kind::high_watermark}, std::move(done)); });
    if (!behind) co_return tl::unexpected{behind.error()};

    auto ranges = co_await gather<port::range_read>(with_.loop, lanes.size(), [&](std::size_t i, auto done) {
      const auto from = std::max((*offsets)[i].offset, (*first)[i]);
      cluster_.read_range(where[i], from, (*behind)[i], isolation::read_committed, patience, std::move(done));
    });
    std::vector<lane*> held_up;
    for (std::size_t i = 0; i < lanes.size(); ++i)
      if (!ranges[i] && ranges[i].error().kind == failure_kind::timed_out) held_up.push_back(lanes[i]);
    if (!held_up.empty()) {
      co_await evict(held_up);
      continue;
    }
    if (const auto* failed = first_failure(ranges)) co_return tl::unexpected{*failed};

    for (std::size_t i = 0; i < lanes.size(); ++i) {
      lane& each = *lanes[i];
      each.sequence = 0;
      each.position_offset = 0;
      each.committed.clear();
      for (const auto& record : ranges[i]->records) {
        if (record.key != position_key || !record.value) continue;
        auto found = decode_position(*record.value);
        if (!found) co_return tl::unexpected{found.error()};
        if (found->of != provenance_now())
          co_return fail(failure_kind::refused,
                         to_string(where[i]) + " on " + name_ + " belongs to application " + found->of.application +
                             " reading cluster " + found->of.source_cluster + " with " +
                             std::to_string(found->of.tasks) + " lanes spread by " + found->of.mapping,
                         "this is application " + provenance_now().application + " reading cluster " +
                             provenance_now().source_cluster + " with " + std::to_string(provenance_now().tasks) +
                             " lanes spread by " + provenance_now().mapping +
                             "; correct the configuration, or give this application a name of its own");
        if (found->sequence <= each.sequence) continue;
        each.sequence = found->sequence;
        each.position_offset = record.offset;
        each.committed = std::move(found->sources);
      }
      if (const auto promised = sequence_in((*offsets)[i].metadata); each.sequence < promised)
        co_return fail(failure_kind::refused,
                       to_string(where[i]) + " on " + name_ + " ends at commit " + std::to_string(each.sequence) +
                           ", and its group has seen " + std::to_string(promised) + ": the topic has lost records",
                       "restore the topic; nothing is written until its positions can be trusted");
    }
    co_return result<void>{};
  }
}

// What holds readers up is an open transaction. If its owner has left the group, nobody will end it before its timeout,
// so we do.
task<void> target::evict(std::vector<lane*> lanes) {
  std::vector<topic_partition> where;
  for (const auto* each : lanes) where.push_back(lane_topic(each->number));
  auto offsets = co_await answer<std::vector<port::group_offset>>(with_.loop, [&](auto done) {
    cluster_.group_offsets(names_.group(), where, isolation::read_uncommitted, patience, std::move(done));
  });
  auto first = co_await answer<std::vector<std::int64_t>>(
      with_.loop, [&](auto done) { cluster_.find_offsets(where, {kind::earliest}, std::move(done)); });
  auto behind = co_await answer<std::vector<std::int64_t>>(
      with_.loop, [&](auto done) { cluster_.find_offsets(where, {kind::high_watermark}, std::move(done)); });
  auto members = co_await answer<std::vector<port::group_member>>(
      with_.loop, [&](auto done) { cluster_.group_members(names_.group(), std::move(done)); });
  if (!offsets || !first || !behind || !members) {
    co_await with_.loop.sleep(patience);
    co_return;
  }
  auto ranges = co_await gather<port::range_read>(with_.loop, lanes.size(), [&](std::size_t i, auto done) {
    const auto from = std::max((*offsets)[i].offset, (*first)[i]);
    cluster_.read_range(where[i], from, (*behind)[i], isolation::read_uncommitted, patience, std::move(done));
  });
  std::set<std::string> gone;
  for (const auto& range : ranges) {
    if (!range) continue;
    std::optional<writer> last;
    for (const auto& record : range->records) {
      if (!record.value) continue;
      if (record.key == claim_key)
        if (auto made = decode_claim(*record.value)) last = made->by;
      if (record.key == position_key)
        if (auto written = decode_position(*record.value)) last = written->by;
    }
    if (!last || last->transactional_id == writer_now().transactional_id) continue;
    const bool is_member = std::any_of(members->begin(), members->end(),
                                       [&](const auto& each) { return each.instance_id == last->instance; });
    if (!is_member) gone.insert(last->transactional_id);
  }
  for (const auto& id : gone) {
    with_.log(severity::info, name_ + ": ending the transaction that " + id + " left open");
    co_await answer<void>(with_.loop, [&](auto done) { cluster_.fence(id, std::move(done)); });
  }
  if (gone.empty()) co_await with_.loop.sleep(100ms);
}

task<result<void>> target::open_courses(std::vector<lane*> lanes) {
  std::vector<course*> opened;
  std::vector<topic_partition> where;
  for (auto* each : lanes)
    for (const auto* from : with_.reading.of_task(each->number)) {
      const auto is_open = [&](const auto& one) { return one->from == from; };
      if (std::any_of(each->courses.begin(), each->courses.end(), is_open)) continue;
      each->courses.push_back(std::make_unique<course>());
      auto* fresh = each->courses.back().get();
      fresh->from = from;
      fresh->of = each;
      opened.push_back(fresh);
      where.push_back(from->where);
    }
  if (opened.empty()) co_return result<void>{};

  auto& home = with_.reading.home();
  auto first = co_await answer<std::vector<std::int64_t>>(
      with_.loop, [&](auto done) { home.find_offsets(where, {kind::earliest}, std::move(done)); });
  auto behind = co_await answer<std::vector<std::int64_t>>(
      with_.loop, [&](auto done) { home.find_offsets(where, {kind::high_watermark}, std::move(done)); });
  std::vector<result<std::vector<std::int64_t>>> begin;
  if (first && behind)
    begin = co_await gather<std::vector<std::int64_t>>(with_.loop, where.size(), [&](std::size_t i, auto done) {
      const auto& wish = with_.topology.sources()[opened[i]->from->entries.front().source].start;
      const start_at start = opened[i]->from->found_later ? start_at{} : wish.value_or(with_.options.start);
      const auto which = start.where == start_at::kind::earliest ? kind::earliest
                         : start.where == start_at::kind::latest ? kind::high_watermark
                                                                 : kind::at_time;
      home.find_offsets({where[i]}, {which, start.time}, std::move(done));
    });
  const failure* failed = !first ? &first.error() : !behind ? &behind.error() : first_failure(begin);
  if (failed) {
    for (auto* each : opened) std::erase_if(each->of->courses, [&](const auto& one) { return one.get() == each; });
    co_return tl::unexpected{*failed};
  }

  std::vector<course*> resumed;
  for (std::size_t i = 0; i < opened.size(); ++i) {
    course& each = *opened[i];
    const auto known = each.of->committed.find(where[i]);
    if (known == each.of->committed.end()) {
      each.next = begin[i]->front();
      continue;
    }
    each.next = known->second.next;
    each.last = known->second.last;
    if (const auto refused = unacceptable_.find(where[i]); refused != unacceptable_.end()) {
      each.halted = "offset " + std::to_string(each.next) + ": " + name_ + " refuses it: " + refused->second;
    } else if (each.next < (*first)[i]) {
      each.halted = "offset " + std::to_string(each.next) + ": offsets " + std::to_string(each.next) + ".." +
                    std::to_string((*first)[i] - 1) + " are gone from " + with_.options.home +
                    " (deleted before they were read; reset the position to go on without them)";
    } else if (each.next > (*behind)[i]) {
      each.halted = "offset " + std::to_string(each.next) + ": " + to_string(where[i]) + " on " + with_.options.home +
                    " ends at " + std::to_string((*behind)[i]) +
                    " (the topic was deleted and made anew, or has lost records; reset the position to read it anew)";
    } else if (each.last.offset >= (*first)[i]) {
      resumed.push_back(&each);
    }
  }
  auto checked = co_await check_sources(resumed);
  if (!checked) {
    for (auto* each : opened) std::erase_if(each->of->courses, [&](const auto& one) { return one.get() == each; });
    co_return checked;
  }
  for (auto* each : opened)
    if (!each->halted.empty()) halted(*each, each->halted);
  co_return result<void>{};
}

task<result<void>> target::check_sources(std::vector<course*> resumed) {
  auto& home = with_.reading.home();
  auto read = co_await gather<port::range_read>(with_.loop, resumed.size(), [&](std::size_t i, auto done) {
    const auto at = resumed[i]->last.offset;
    home.read_range(resumed[i]->from->where, at, at + 1, isolation::read_committed, patience, std::move(done));
  });
  for (std::size_t i = 0; i < resumed.size(); ++i) {
    if (!read[i]) {
      if (read[i].error().kind == failure_kind::out_of_range) continue;  // retention took it in the meantime
      co_return tl::unexpected{read[i].error()};
    }
    const auto& records = read[i]->records;
    // Compaction may have taken it; what cannot be compared is not held against the topic.
    if (records.empty() || records.front().offset != resumed[i]->last.offset) continue;
    const auto& record = records.front();
    const auto part = [](const std::optional<std::string>& text) { return text ? bytes{*text} : bytes{}; };
    if (fingerprint_of(record.offset, record.timestamp, part(record.key), part(record.value)) != resumed[i]->last)
      resumed[i]->halted = "offset " + std::to_string(resumed[i]->next) + ": offset " + std::to_string(record.offset) +
                           " of " + to_string(resumed[i]->from->where) + " on " + with_.options.home +
                           " is not the record that was read there (the topic was deleted and made anew; reset the " +
                           "position to read it from its beginning)";
  }
  co_return result<void>{};
}

task<result<void>> target::claim_lanes(std::vector<lane*> lanes) {
  const auto encoded_claim = std::make_shared<std::string>(encode(claim{writer_now()}));
  outgoing records;
  records.buffers.push_back(encoded_claim);
  std::vector<written_lane> written;
  for (auto* each : lanes) {
    records.records.push_back({.topic = lanes_topic_,
                               .partition = each->number,
                               .timestamp = stamped_by_the_broker,
                               .key = claim_key,
                               .value = *encoded_claim,
                               .headers = {}});
    written.push_back(write_position(*each));
  }
  producer_->begin();
  auto done = co_await commit(std::move(written), std::move(records));
  if (done)
    for (auto* each : lanes) each->taken = true;
  co_return done;
}

}  // namespace flow::engine
