#include "suite.hpp"

#include <algorithm>
#include <ostream>
#include <random>
#include <utility>

namespace flow::contract {

namespace {

using query = port::offset_query::kind;

std::string shown(const std::optional<std::string>& text) {
  if (!text) return "null";
  if (text->size() > 40) return "<" + std::to_string(text->size()) + " bytes>";
  return ::testing::PrintToString(*text);
}

bytes view(const std::optional<std::string>& text) {
  return text ? bytes{*text} : bytes{};
}

std::optional<std::string> owned(bytes data) {
  return data.is_null() ? std::nullopt : std::optional<std::string>{data.str()};
}

note owned(const fetched_record& record) {
  note copy{owned(record.key), owned(record.value), record.timestamp, {}};
  for (const header& one : record.headers) copy.headers.emplace_back(std::string{one.key}, owned(one.value));
  return copy;
}

}  // namespace

void PrintTo(const note& record, std::ostream* out) {
  *out << shown(record.key) << " = " << shown(record.value) << " at " << record.timestamp;
  for (const auto& [key, value] : record.headers) *out << " " << key << ": " << shown(value);
}

std::vector<note> numbered(int from, int to) {
  std::vector<note> notes;
  for (int number = from; number < to; ++number) notes.push_back({.key = "key", .value = std::to_string(number)});
  return notes;
}

std::vector<std::string> values(const std::vector<note>& notes) {
  std::vector<std::string> all;
  for (const note& one : notes) all.push_back(one.value.value_or("null"));
  return all;
}

std::vector<std::string> values(const std::vector<port::kept_record>& records) {
  std::vector<std::string> all;
  for (const port::kept_record& one : records) all.push_back(one.value.value_or("null"));
  return all;
}

port::new_topic topic(std::string name, std::int32_t partitions, std::map<std::string, std::string> settings) {
  return {std::move(name), partitions, -1, std::move(settings)};
}

port::member_options joining(std::string group, std::string topic) {
  port::member_options options;
  options.group = std::move(group);
  options.topic = std::move(topic);
  options.session = 2s;
  return options;
}

std::string noise(std::size_t size) {
  std::mt19937 random{42};
  std::string text(size, '\0');
  std::ranges::generate(text, [&] { return static_cast<char>(random()); });
  return text;
}

// ---- suite

bool suite::pump_until(const std::function<bool()>& condition, milliseconds limit) {
  return world_->pump_until(
      [&] {
        for (polled* each : std::set<polled*>{polled_}) each->poll();
        return condition();
      },
      limit);
}

void suite::eventually(const std::function<bool()>& condition, const std::string& what, milliseconds limit) {
  if (!pump_until(condition, limit)) throw std::runtime_error{"waited in vain for " + what};
}

void suite::ask_until(const std::function<bool()>& holds, const std::string& what) {
  const std::int64_t deadline = world_->now() + patience.count();
  while (!holds()) {
    if (world_->now() > deadline) throw std::runtime_error{"asked in vain for " + what};
    pump_until([] { return false; }, 10ms);
  }
}

std::string suite::fresh_topic(std::int32_t partitions, std::map<std::string, std::string> settings) {
  const std::string name = unique("topic");
  must(create({topic(name, partitions, std::move(settings))}));
  ask_until([&] { return !must(describe({name})).empty(); }, "the new topic");
  return name;
}

result<std::vector<port::topic_description>> suite::list_topics() {
  return await<std::vector<port::topic_description>>([&](auto done) { cluster_->list_topics(done); });
}

result<std::vector<port::topic_description>> suite::describe(std::vector<std::string> names) {
  return await<std::vector<port::topic_description>>([&](auto done) { cluster_->describe_topics(names, done); });
}

result<void> suite::create(std::vector<port::new_topic> topics) {
  return await<void>([&](auto done) { cluster_->create_topics(topics, done); });
}

result<void> suite::change_settings(const std::string& topic, const std::map<std::string, std::string>& settings) {
  return await<void>([&](auto done) { cluster_->change_settings(topic, settings, done); });
}

result<void> suite::add_partitions(const std::string& topic, std::int32_t total) {
  return await<void>([&](auto done) { cluster_->add_partitions(topic, total, done); });
}

result<void> suite::delete_records(std::map<topic_partition, std::int64_t> below) {
  return await<void>([&](auto done) { cluster_->delete_records(below, done); });
}

result<void> suite::fence(const std::string& transactional_id) {
  return await<void>([&](auto done) { cluster_->fence(transactional_id, done); });
}

result<std::vector<port::group_member>> suite::group_members(const std::string& group) {
  return await<std::vector<port::group_member>>([&](auto done) { cluster_->group_members(group, done); });
}

result<std::vector<port::group_offset>> suite::group_offsets(const std::string& group,
                                                             std::vector<topic_partition> where, isolation isolated,
                                                             milliseconds limit) {
  return await<std::vector<port::group_offset>>(
      [&](auto done) { cluster_->group_offsets(group, where, isolated, limit, done); });
}

port::group_offset suite::group_offset(const std::string& group, const topic_partition& where, isolation isolated) {
  auto all = must(group_offsets(group, {where}, isolated));
  if (all.size() != 1 || all.front().where != where) throw std::runtime_error{"not the offset that was asked for"};
  return all.front();
}

result<std::vector<std::int64_t>> suite::find_offsets(std::vector<topic_partition> where, port::offset_query what) {
  return await<std::vector<std::int64_t>>([&](auto done) { cluster_->find_offsets(where, what, done); });
}

std::int64_t suite::find_offset(const topic_partition& where, port::offset_query what) {
  return must(find_offsets({where}, what)).at(0);
}

std::int64_t suite::earliest(const topic_partition& where) {
  return find_offset(where, {query::earliest});
}
std::int64_t suite::high_watermark(const topic_partition& where) {
  return find_offset(where, {query::high_watermark});
}
std::int64_t suite::last_stable(const topic_partition& where) {
  return find_offset(where, {query::last_stable});
}

void suite::settle(const topic_partition& where) {
  ask_until([&] { return last_stable(where) >= high_watermark(where); }, "a decision");
}

result<port::range_read> suite::read_range(const topic_partition& where, std::int64_t from, std::int64_t to,
                                           isolation isolated, milliseconds limit) {
  return await<port::range_read>([&](auto done) { cluster_->read_range(where, from, to, isolated, limit, done); });
}

std::vector<note> suite::everything(const topic_partition& where, isolation isolated) {
  listener all{*this, isolated};
  const std::int64_t to = high_watermark(where);
  all.assign(0, where, earliest(where));
  eventually([&] { return all.of(0).end.value_or(-1) >= to; }, "the end of " + where.topic);
  return all.of(0).notes;
}

// ---- writer

writer::writer(suite& in, const std::string& transactional_id, milliseconds transaction_timeout)
    : writer{in, in.cluster(), transactional_id, transaction_timeout} {}

writer::writer(suite& in, port::cluster& at, const std::string& transactional_id, milliseconds transaction_timeout)
    : in_{in}, port_{at.open_producer({transactional_id, transaction_timeout})} {
  if (!transactional_id.empty()) must(init());
}

result<void> writer::init() {
  return in_.await<void>([&](auto done) { port_->init(done); });
}

void writer::send(const topic_partition& where, std::vector<note> notes, bool wants_offsets) {
  port_->send(packed(port_->topic(where.topic), where.partition, std::move(notes), wants_offsets));
}

result<void> writer::send_offsets(std::vector<port::group_offset> offsets, const port::membership& as) {
  return in_.await<void>([&](auto done) { port_->send_offsets(offsets, as, done); });
}

result<port::committed> writer::commit() {
  return in_.await<port::committed>([&](auto done) { port_->commit(done); });
}

result<void> writer::abort() {
  return in_.await<int>([&](auto done) { port_->abort(done); }).map([](int) {});
}

result<port::committed> writer::flush() {
  return in_.await<port::committed>([&](auto done) { port_->flush(done); });
}

outgoing packed(topic_id topic, std::int32_t partition, std::vector<note> notes, bool wants_offsets) {
  struct owner {
    std::vector<note> notes;
    std::vector<std::vector<header>> headers;
  };
  auto kept = std::make_shared<owner>(owner{std::move(notes), {}});
  outgoing batch;
  for (const note& one : kept->notes) {
    auto& headers = kept->headers.emplace_back();
    for (const auto& [key, value] : one.headers) {
      headers.push_back({key, view(value)});
      batch.size += key.size() + view(value).size();
    }
    batch.size += view(one.key).size() + view(one.value).size();
  }
  for (std::size_t i = 0; i < kept->notes.size(); ++i) {
    const note& one = kept->notes[i];
    batch.records.push_back(
        {topic, partition, one.timestamp, view(one.key), view(one.value), kept->headers[i], wants_offsets});
  }
  batch.buffers.push_back(std::move(kept));
  return batch;
}

void write(suite& in, const topic_partition& where, std::vector<note> notes) {
  writer plain{in, ""};
  plain.send(where, std::move(notes));
  must(plain.flush());
}

void write_committed(suite& in, const topic_partition& where, std::vector<note> notes) {
  writer once{in, in.unique("writer")};
  once.begin();
  once.send(where, std::move(notes));
  must(once.commit());
  in.settle(where);
}

void write_aborted(suite& in, const topic_partition& where, std::vector<note> notes) {
  writer once{in, in.unique("writer")};
  const std::int64_t written = in.high_watermark(where) + static_cast<std::int64_t>(notes.size());
  once.begin();
  once.send(where, std::move(notes));
  // What was aborted before it left would leave no trace.
  in.ask_until([&] { return in.high_watermark(where) >= written; }, "what is going to be aborted");
  must(once.abort());
  in.settle(where);
}

// ---- listener

listener::listener(suite& in, isolation isolated, std::size_t buffer)
    : polled{in}, port_{in.cluster().open_reader({isolated, buffer}, in.in().wake())} {}

void listener::assign(source_id id, const topic_partition& where, std::int64_t offset) {
  sources_[id] = {};
  port_->assign(id, where, offset);
}

void listener::poll() {
  fetched batch;
  while (port_->poll(batch, 1000)) {
    for (const fetched_record& record : batch.records) {
      sources_[record.source].notes.push_back(owned(record));
      sources_[record.source].offsets.push_back(record.offset);
    }
    for (const reached_end& end : batch.ends) sources_[end.source].end = end.next;
    for (const source_failure& failed : batch.failures) sources_[failed.source].failed = failed.why;
    batch.clear();
  }
}

void listener::until_records(source_id id, std::size_t count) {
  in_.eventually([&] { return of(id).notes.size() >= count; }, std::to_string(count) + " records");
}

void listener::until_end(source_id id, std::int64_t next) {
  in_.eventually([&] { return of(id).end == next; }, "the end at " + std::to_string(next));
}

const failure& listener::until_failure(source_id id) {
  in_.eventually([&] { return of(id).failed.has_value(); }, "a failure");
  return *of(id).failed;
}

// ---- participant

participant::participant(suite& in, port::member_options options) : participant{in, in.cluster(), std::move(options)} {}

participant::participant(suite& in, port::cluster& at, port::member_options options)
    : polled{in}, port_{at.join(std::move(options), in.in().wake())} {}

void participant::poll() {
  if (paused_) return;
  auto event = port_->poll();
  if (!event) return;
  history_.push_back(*event);
  using kind = port::group_event::kind;
  if (event->what == kind::assigned) {
    assigned_ = std::move(event);
  } else if (event->what != kind::failed) {
    if (!holds_) release();
  }
}

void participant::release() {
  assigned_.reset();
  port_->release();
}

bool participant::saw(port::group_event::kind what) const {
  return std::ranges::any_of(history_, [&](const port::group_event& event) { return event.what == what; });
}

port::membership participant::until_assigned(std::size_t partitions) {
  in_.eventually([&] { return assigned_ && assigned_->partitions.size() == partitions; },
                 "an assignment of " + std::to_string(partitions) + " partitions");
  return assigned_->as;
}

std::vector<std::int32_t> participant::partitions() const {
  return assigned_ ? assigned_->partitions : std::vector<std::int32_t>{};
}

result<void> participant::leave() {
  return in_.await<void>([&](auto done) { port_->leave(done); });
}

}  // namespace flow::contract
