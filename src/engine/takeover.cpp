#include <algorithm>
#include <charconv>

#include "lane_positions.hpp"
#include "writing.hpp"

#include <flow/topic.hpp>

/// Taking over lanes: how a worker comes to know exactly how far they are, whoever wrote them before and however that
/// ended. The order of the steps is the protocol; docs/internals/commit-protocol.md shows what breaks without each.
namespace flow::engine {
namespace {

using namespace std::chrono_literals;
using kind = port::offset_query::kind;
using port::isolation;

// How long an answer may be held up by a transaction of somebody else before we look whose it is. It may be far away
// instead, so each time it is waited for longer.
constexpr port::milliseconds patience = 1s, longest_patience = 8s;

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

task<void> writing::find_places(std::vector<lane*> lanes) {
  auto found = co_await find_places_of(lanes);
  placed_ = std::move(lanes);
  found_ = std::move(found);
  turned_.notify();
}

task<result<void>> writing::find_places_of(std::vector<lane*>& lanes) {
  for (auto* each : lanes) {
    for (const auto& course : each->courses) at_.reading.leave(*course);
    each->courses.clear();
    each->taken = false;
  }
  auto read = co_await read_positions(lanes);
  if (read) read = co_await restore(lanes);
  if (!read) co_return read;
  co_await step("positions read");
  for (auto* each : lanes) {
    auto local = at_.state.read({at_.name, each->number});
    if (!local) co_return tl::unexpected{local.error()};
    if (*local && (*local)->sequence > each->sequence)
      co_return fail(failure_kind::refused,
                     "the state directory knows lane " + std::to_string(each->number) + " on " + at_.name +
                         " up to commit " + std::to_string((*local)->sequence) + ", " + at_.names.lanes_topic() +
                         " only up to " + std::to_string(each->sequence) + ": the cluster has lost commits",
                     "restore that cluster's data; or, to repeat what it lost, move the state directory away");
  }
  if (auto left = co_await refuse_to_leave_behind(lanes); !left) co_return left;
  auto opened = co_await open_courses(lanes);
  if (!opened) co_return opened;
  // Once a lane has a position, what it lacks counts as having appeared later, and is read from its first record.
  for (const auto* each : lanes)
    for (const auto& course : each->courses)
      if (each->sequence == 0 && course->next < 0 && course->halted.empty())
        co_return fail(failure_kind::retriable, "where to begin in " + to_string(course->from->where) + " on " +
                                                    at_.options.home + " cannot be found out");
  co_return result<void>{};
}

// A node of another name, or none, reads nothing of what the former one has written. The only internal topics in a
// position are the application's own.
task<result<void>> writing::refuse_to_leave_behind(const std::vector<lane*>& lanes) {
  using offsets = std::vector<std::int64_t>;
  std::vector<topic_partition> where;
  std::vector<std::int64_t> next;
  for (const auto* each : lanes)
    for (const auto& [from, at] : each->committed)
      if (is_internal_topic(from.topic) && !at_.reading.selects(from.topic) && at_.reading.is_listed(from))
        where.push_back(from), next.push_back(at.next);
  auto& home = at_.reading.home();
  const auto find = [&](kind what) {
    return gather<offsets>(at_.loop, where.size(), [&, what](std::size_t i, auto done) {
      home.find_offsets({where[i]}, {what}, std::move(done));
    });
  };
  auto first = co_await find(kind::earliest);
  auto behind = co_await find(kind::last_stable);
  std::string left;
  for (std::size_t i = 0; i < where.size(); ++i) {
    for (const auto* each : {&first[i], &behind[i]})
      if (!*each && each->error().kind != failure_kind::missing) co_return tl::unexpected{each->error()};
    if (!first[i] || !behind[i]) continue;
    const auto from = std::max(next[i], first[i]->front()), until = behind[i]->front();
    if (from < until)
      left += (left.empty() ? "" : ", ") + to_string(where[i]) + " from offset " + std::to_string(from) + " to " +
              std::to_string(until - 1);
  }
  if (left.empty()) co_return result<void>{};
  co_return fail(failure_kind::refused,
                 at_.name + " has still to get what is in " + left + " on " + at_.options.home +
                     ", and no node of the topology reads that any more",
                 "run the former topology until nothing is left there, or give it up and delete that topic");
}

// One partition without a leader is no reason for the other lanes to wait, nor for those that have been taken over.
task<result<void>> writing::leave_out_those_that_cannot_be_asked(std::vector<lane*>& lanes, std::string topic) {
  using offsets = std::vector<std::int64_t>;
  auto asked = co_await gather<offsets>(at_.loop, lanes.size(), [&](std::size_t i, auto done) {
    at_.cluster.find_offsets({{topic, lanes[i]->number}}, {kind::high_watermark}, std::move(done));
  });
  if (taken_lanes().empty() && std::ranges::none_of(asked, [](const auto& each) { return each.has_value(); }))
    co_return tl::unexpected{asked.front().error()};
  std::vector<lane*> left;
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    if (asked[i]) {
      lanes[i]->asking.reset();
      left.push_back(lanes[i]);
      continue;
    }
    lanes[i]->ask_again = at_.loop.now() + lanes[i]->asking();
    trouble_.raise(asked[i].error());
  }
  lanes = std::move(left);
  co_return result<void>{};
}

task<result<void>> writing::read_positions(std::vector<lane*>& lanes) {
  for (auto limit = patience; !closing(); limit = std::min(2 * limit, longest_patience)) {
    if (lanes.empty()) co_return result<void>{};
    std::vector<topic_partition> where;
    for (const auto* each : lanes) where.push_back(at_.lane_topic(each->number));
    // A pending offset is an undecided transaction: "none" would be a guess.
    auto offsets = co_await answer<std::vector<port::group_offset>>(at_.loop, [&](auto done) {
      at_.cluster.group_offsets(at_.names.group(), where, isolation::read_committed, limit, std::move(done));
    });
    if (!offsets && offsets.error().kind == failure_kind::timed_out) {
      trouble_.raise(offsets.error());
      co_await evict(lanes, limit);
      continue;
    }
    if (!offsets) co_return tl::unexpected{offsets.error()};

    auto first = co_await answer<std::vector<std::int64_t>>(
        at_.loop, [&](auto done) { at_.cluster.find_offsets(where, {kind::earliest}, std::move(done)); });
    if (!first) {
      const auto asked = lanes.size();
      auto others = co_await leave_out_those_that_cannot_be_asked(lanes, at_.names.lanes_topic());
      if (!others) co_return others;
      if (lanes.size() == asked) co_return tl::unexpected{first.error()};
      continue;
    }
    // The high watermark, not the last stable offset: the markers of the offsets just fetched may be there while those
    // on this topic are late, and an older open transaction may hold the last stable offset back.
    auto behind = co_await answer<std::vector<std::int64_t>>(
        at_.loop, [&](auto done) { at_.cluster.find_offsets(where, {kind::high_watermark}, std::move(done)); });
    if (!behind) co_return tl::unexpected{behind.error()};

    auto ranges = co_await gather<port::range_read>(at_.loop, lanes.size(), [&](std::size_t i, auto done) {
      const auto from = std::max((*offsets)[i].offset, (*first)[i]);
      at_.cluster.read_range(where[i], from, (*behind)[i], isolation::read_committed, limit, std::move(done));
    });
    std::vector<lane*> held_up;
    for (std::size_t i = 0; i < lanes.size(); ++i)
      if (!ranges[i] && ranges[i].error().kind == failure_kind::timed_out) held_up.push_back(lanes[i]);
    if (!held_up.empty()) {
      co_await evict(held_up, limit);
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
        auto found = own_position(record, where[i], at_.name, at_.provenance_now());
        if (!found) co_return tl::unexpected{found.error()};
        if (found->sequence <= each.sequence) continue;
        each.sequence = found->sequence;
        each.position_offset = record.offset;
        each.committed = std::move(found->sources);
      }
      if (const auto promised = sequence_in((*offsets)[i].metadata); each.sequence < promised)
        co_return fail(failure_kind::refused,
                       to_string(where[i]) + " on " + at_.name + " ends at commit " + std::to_string(each.sequence) +
                           ", and its group has seen " + std::to_string(promised) + ": the topic has lost records",
                       "restore the topic; nothing is written until its positions can be trusted");
    }
    co_return result<void>{};
  }
  co_return fail(failure_kind::retriable, "taking over lanes on " + at_.name + " was broken off");
}

// What holds readers up is an open transaction. If its owner has left the group, nobody will end it before its timeout,
// so we do.
task<void> writing::evict(std::vector<lane*> lanes, port::milliseconds limit) {
  std::vector<topic_partition> where;
  for (const auto* each : lanes) where.push_back(at_.lane_topic(each->number));
  auto offsets = co_await answer<std::vector<port::group_offset>>(at_.loop, [&](auto done) {
    at_.cluster.group_offsets(at_.names.group(), where, isolation::read_uncommitted, limit, std::move(done));
  });
  auto first = co_await answer<std::vector<std::int64_t>>(
      at_.loop, [&](auto done) { at_.cluster.find_offsets(where, {kind::earliest}, std::move(done)); });
  auto behind = co_await answer<std::vector<std::int64_t>>(
      at_.loop, [&](auto done) { at_.cluster.find_offsets(where, {kind::high_watermark}, std::move(done)); });
  auto members = co_await answer<std::vector<port::group_member>>(
      at_.loop, [&](auto done) { at_.cluster.group_members(at_.names.group(), std::move(done)); });
  if (!offsets || !first || !behind || !members) {
    co_await at_.loop.sleep(patience);
    co_return;
  }
  auto ranges = co_await gather<port::range_read>(at_.loop, lanes.size(), [&](std::size_t i, auto done) {
    const auto from = std::max((*offsets)[i].offset, (*first)[i]);
    at_.cluster.read_range(where[i], from, (*behind)[i], isolation::read_uncommitted, limit, std::move(done));
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
    if (!last) continue;
    const bool is_ours = last->instance == writer_now().instance;
    const bool is_member = std::any_of(members->begin(), members->end(),
                                       [&](const auto& each) { return each.instance_id == last->instance; });
    if (is_ours ? !by_.writes_as(last->transactional_id) : !is_member) gone.insert(last->transactional_id);
  }
  // It is answered when all markers are written. Those of a partition that is ill may take long, and ours need not
  // wait.
  for (const auto& id : gone) {
    if (!fencing_->insert(id).second) continue;
    at_.log(severity::info, at_.name + ": ending the transaction that " + id + " left open");
    at_.cluster.fence(id, [fencing = fencing_, id](const result<void>&) { fencing->erase(id); });
  }
  co_await at_.loop.sleep(100ms);
}

task<result<void>> writing::claim_lanes(std::vector<lane*> lanes) {
  const auto encoded_claim = std::make_shared<std::string>(encode(claim{writer_now()}));
  outgoing claims;
  claims.buffers.push_back(encoded_claim);
  std::vector<written_lane> written;
  for (auto* each : lanes) {
    claims.records.push_back({.topic = outputs::lanes_topic,
                              .partition = each->number,
                              .timestamp = stamped_by_the_broker,
                              .key = claim_key,
                              .value = *encoded_claim,
                              .headers = {}});
    written.push_back(write_position(*each));
  }
  in_transaction_ = 0;
  producer_->begin();
  tell_topics();
  producer_->send(std::move(claims));
  auto done = co_await commit(std::move(written), {});
  if (done)
    for (auto* each : lanes) each->taken = true;
  co_return done;
}

}  // namespace flow::engine
