// Everything that the chaos test's verdict hangs on: the verifier finds each kind of mistake, and only mistakes.

#include <gmock/gmock.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdio>
#include <thread>

#include "client.hpp"
#include "kafka_fixture.hpp"
#include "marker.hpp"

namespace plain {
namespace {

using ::testing::HasSubstr;

struct header {
  std::string name;
  std::optional<std::string> value;
};

struct sample {
  int32_t partition = 0;
  std::optional<std::string> key, value;
  std::vector<header> headers;
  int64_t timestamp = 0;
};

/// Twelve records on two partitions, with everything that a record can have.
std::vector<sample> samples() {
  std::vector<sample> all;
  for (int i = 0; i < 12; ++i) {
    const std::string n = std::to_string(i);
    all.push_back(
        {i % 2, "key-" + n, "value-" + n, {{"trace", n}, {"trace", "again"}, {"null", {}}}, 1'700'000'000'000 + i});
  }
  all[4].key.reset();
  all[5].value.reset();
  all[6].key = "";
  all[7].value = std::string(65'536, 'x');
  all[8].headers.clear();
  return all;
}

sample to_be_aborted() {
  return {0, {}, std::string{aborted_marker} + "#17", {}, 1'700'000'000'100};
}

struct outcome {
  int code;
  std::string text;
};

class chaos_verify : public ::testing::Test {
 protected:
  chaos_verify() {
    create_topic(brokers_, source_, 2);
    create_topic(brokers_, target_, 2);
    const auto writer = transactional("source");
    const auto all = samples();
    write(*writer, source_, std::vector(all.begin(), all.begin() + 5), true);
    write(*writer, source_, {to_be_aborted()}, false);
    write(*writer, source_, std::vector(all.begin() + 5, all.end()), true);
  }

  /// What the verifier says of a target that holds these records, committed.
  outcome verify_against(const std::vector<sample>& records) {
    const auto writer = transactional("target");
    write(*writer, target_, records, true);
    return verify();
  }

  outcome verify(const std::string& flags = "") const {
    const std::string command = std::string{CHAOS_VERIFY} + " --source " + brokers_ + " --topic " + source_ +
                                " --target t=" + brokers_ + " --target-topic " + target_ + " " + flags + " 2>&1";
    FILE* pipe = popen(command.c_str(), "r");
    std::string text;
    for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) text += static_cast<char>(c);
    return {WEXITSTATUS(pclose(pipe)), text};
  }

  std::unique_ptr<producer> transactional(const std::string& id) const {
    auto writer = std::make_unique<producer>(
        properties{{"bootstrap.servers", brokers_}, {"transactional.id", source_ + "-" + id}, {"linger.ms", "0"}});
    writer->init_transactions(30s);
    return writer;
  }

  static void open(producer& writer, const std::string& topic, const std::vector<sample>& records) {
    writer.begin();
    const auto handle = writer.topic(topic);
    for (const sample& record : records) {
      rd_kafka_headers_t* headers = rd_kafka_headers_new(record.headers.size());
      for (const auto& [name, value] : record.headers)
        rd_kafka_header_add(headers, name.data(), static_cast<ssize_t>(name.size()), value ? value->data() : nullptr,
                            value ? static_cast<ssize_t>(value->size()) : 0);
      writer.send(handle.get(), {record.partition, record.key, record.value, record.timestamp, headers});
    }
    writer.flush(30s);
  }

  static void write(producer& writer, const std::string& topic, const std::vector<sample>& records, bool commit) {
    open(writer, topic, records);
    commit ? writer.commit() : writer.abort();
  }

  std::string brokers_ = kafka_fixture::bootstrap("home");
  std::string source_ = kafka_fixture::fresh_name("verify"), target_ = source_ + "-target";
};

TEST_F(chaos_verify, calls_a_faithful_copy_equal) {
  const outcome found = verify_against(samples());
  EXPECT_EQ(found.code, 0) << found.text;
  EXPECT_THAT(found.text, HasSubstr(R"("equal": true, "source": 12, "targets": {"t": 12})"));
}

TEST_F(chaos_verify, does_not_mind_aborted_records_in_the_target) {
  const auto writer = transactional("aborting");
  write(*writer, target_, samples(), false);
  EXPECT_EQ(verify_against(samples()).code, 0);
}

TEST_F(chaos_verify, does_not_mind_how_partitions_interleave) {
  auto records = samples();
  std::stable_sort(records.begin(), records.end(),
                   [](const auto& a, const auto& b) { return a.partition > b.partition; });
  EXPECT_EQ(verify_against(records).code, 0);
}

TEST_F(chaos_verify, finds_a_repeated_record) {
  auto records = samples();
  records.insert(records.begin() + 6, records[2]);
  const outcome found = verify_against(records);
  EXPECT_EQ(found.code, 3);
  EXPECT_THAT(found.text, HasSubstr("/0: 7 records, difference at record 3: repeats record 1"));
  EXPECT_THAT(found.text, HasSubstr("/1: 6 records, equal"));
}

TEST_F(chaos_verify, finds_a_record_repeated_at_the_end) {
  auto records = samples();
  records.push_back(records.back());
  const outcome found = verify_against(records);
  EXPECT_EQ(found.code, 3);
  EXPECT_THAT(found.text, HasSubstr("difference at record 6: repeats record 5"));
}

TEST_F(chaos_verify, finds_a_missing_record) {
  auto records = samples();
  records.erase(records.begin() + 2);
  const outcome found = verify_against(records);
  EXPECT_EQ(found.code, 3);
  EXPECT_THAT(found.text, HasSubstr("difference at record 1: is record 2; those between are missing"));
  EXPECT_THAT(found.text, HasSubstr("expected offset 1, timestamp 1700000000002, key \"key-2\""));
}

TEST_F(chaos_verify, finds_what_is_missing_at_the_end) {
  auto records = samples();
  records.resize(10);
  const outcome found = verify_against(records);
  EXPECT_EQ(found.code, 3);
  EXPECT_THAT(found.text, HasSubstr("the last 1 records are missing"));
  EXPECT_THAT(found.text, HasSubstr("key \"key-10\""));
}

TEST_F(chaos_verify, finds_an_empty_target) {
  EXPECT_EQ(verify().code, 3);
}

TEST_F(chaos_verify, finds_two_records_that_changed_places) {
  auto records = samples();
  std::swap(records[2], records[4]);
  const outcome found = verify_against(records);
  EXPECT_EQ(found.code, 3);
  EXPECT_THAT(found.text, HasSubstr("difference at record 1: is record 2"));
}

TEST_F(chaos_verify, finds_a_record_on_another_partition) {
  auto records = samples();
  records[10].partition = 1;
  const outcome found = verify_against(records);
  EXPECT_EQ(found.code, 3);
  EXPECT_THAT(found.text, HasSubstr("is not a record of this partition of the source"));
}

/// Three keys on one partition, of which one is empty and one is none.
std::vector<sample> samples_by_key() {
  std::vector<sample> all;
  const std::optional<std::string> keys[] = {"key", "", std::nullopt};
  for (int i = 0; i < 9; ++i) all.push_back({0, keys[i % 3], "value-" + std::to_string(i), {}, 1'700'000'000'000 + i});
  return all;
}

class chaos_verify_by_key : public chaos_verify {
 protected:
  chaos_verify_by_key() {
    source_ += "-by-key";
    create_topic(brokers_, source_, 2);
    write(*transactional("source"), source_, samples_by_key(), true);
  }

  outcome verify_against(const std::vector<sample>& records) {
    write(*transactional("target"), target_, records, true);
    return verify("--order key");
  }
};

TEST_F(chaos_verify_by_key, does_not_mind_how_keys_interleave) {
  auto records = samples_by_key();
  std::stable_sort(records.begin(), records.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
  const outcome found = verify_against(records);
  EXPECT_EQ(found.code, 0) << found.text;
  EXPECT_EQ(verify().code, 3) << "the order of the partition is another";
}

TEST_F(chaos_verify_by_key, finds_two_records_of_a_key_that_changed_places) {
  auto records = samples_by_key();
  std::swap(records[4], records[7]);
  const outcome found = verify_against(records);
  EXPECT_EQ(found.code, 3);
  EXPECT_THAT(found.text, HasSubstr("difference at record 1 of its key: is record 2"));
}

TEST_F(chaos_verify_by_key, finds_a_repeated_record) {
  auto records = samples_by_key();
  records.push_back(records[3]);
  const outcome found = verify_against(records);
  EXPECT_EQ(found.code, 3);
  EXPECT_THAT(found.text, HasSubstr("difference at record 3 of its key: repeats record 1"));
}

TEST_F(chaos_verify_by_key, finds_what_is_missing_at_the_end_of_a_key) {
  auto records = samples_by_key();
  records.erase(records.begin() + 7);
  const outcome found = verify_against(records);
  EXPECT_EQ(found.code, 3);
  EXPECT_THAT(found.text, HasSubstr("the last 1 records of a key are missing"));
  EXPECT_THAT(found.text, HasSubstr("value \"value-7\""));
}

TEST_F(chaos_verify_by_key, finds_a_record_that_has_lost_its_empty_key) {
  auto records = samples_by_key();
  records[7].key.reset();
  EXPECT_EQ(verify_against(records).code, 3);
}

TEST_F(chaos_verify_by_key, finds_a_record_on_another_partition) {
  auto records = samples_by_key();
  records[8].partition = 1;
  EXPECT_EQ(verify_against(records).code, 3);
}

TEST_F(chaos_verify, finds_an_aborted_record_that_leaked) {
  auto records = samples();
  records.insert(records.begin() + 5, to_be_aborted());
  const outcome found = verify_against(records);
  EXPECT_EQ(found.code, 3);
  EXPECT_THAT(found.text, HasSubstr("a record whose transaction was aborted has leaked"));
}

TEST_F(chaos_verify, refuses_a_source_that_shows_aborted_records) {
  const auto writer = transactional("leaking");
  write(*writer, source_, {to_be_aborted()}, true);
  EXPECT_EQ(verify().code, 1);
}

struct change {
  const char* name;
  void (*apply)(std::vector<sample>&);

  friend void PrintTo(const change& c, std::ostream* out) { *out << c.name; }
};

class chaos_verify_finds_a_changed : public chaos_verify, public ::testing::WithParamInterface<change> {};

TEST_P(chaos_verify_finds_a_changed, part_of_a_record) {
  auto records = samples();
  GetParam().apply(records);
  const outcome found = verify_against(records);
  EXPECT_EQ(found.code, 3);
  EXPECT_THAT(found.text, HasSubstr("is not a record of this partition of the source"));
}

INSTANTIATE_TEST_SUITE_P(every_part, chaos_verify_finds_a_changed,
                         ::testing::Values(change{"key", [](auto& r) { r[1].key = "key-x"; }},
                                           change{"null_key", [](auto& r) { r[4].key = ""; }},
                                           change{"empty_key", [](auto& r) { r[6].key.reset(); }},
                                           change{"value", [](auto& r) { r[7].value->back() = 'y'; }},
                                           change{"null_value", [](auto& r) { r[5].value = ""; }},
                                           change{"byte_that_moved_from_key_to_value",
                                                  [](auto& r) { r[1].key = "key-", r[1].value = "1value-1"; }},
                                           change{"header_value", [](auto& r) { r[1].headers[1].value = "Again"; }},
                                           change{"header_name", [](auto& r) { r[1].headers[1].name = "Trace"; }},
                                           change{"header_order",
                                                  [](auto& r) { std::swap(r[1].headers[0], r[1].headers[1]); }},
                                           change{"null_header", [](auto& r) { r[1].headers[2].value = ""; }},
                                           change{"header_count", [](auto& r) { r[1].headers.pop_back(); }},
                                           change{"header_where_none_was",
                                                  [](auto& r) {
                                                    r[8].headers = {{"", {}}};
                                                  }},
                                           change{"timestamp", [](auto& r) { ++r[1].timestamp; }}),
                         [](const auto& info) { return info.param.name; });

TEST_F(chaos_verify, waits_for_a_target_that_is_behind) {
  const auto all = samples();
  const auto writer = transactional("target");
  write(*writer, target_, std::vector(all.begin(), all.begin() + 4), true);
  outcome found;
  std::thread verifier{[&] { found = verify("--wait 60"); }};
  open(*writer, target_, std::vector(all.begin() + 4, all.end()));
  writer->commit();
  verifier.join();
  EXPECT_EQ(found.code, 0) << found.text;
}

TEST_F(chaos_verify, does_not_wait_when_nothing_can_mend_the_difference) {
  auto records = samples();
  records.insert(records.begin() + 1, records[0]);
  records.pop_back();
  const auto writer = transactional("target");
  write(*writer, target_, records, true);
  const auto start = clock::now();
  EXPECT_EQ(verify("--wait 250").code, 3);
  EXPECT_LT(clock::now() - start, 120s);
}

TEST_F(chaos_verify, does_not_judge_while_a_transaction_is_undecided) {
  const auto writer = transactional("target");
  open(*writer, target_, samples());
  const outcome found = verify("--patience 2");
  EXPECT_EQ(found.code, 1) << found.text;
  EXPECT_THAT(found.text, HasSubstr("a transaction is undecided"));
  writer->commit();
  EXPECT_EQ(verify().code, 0);
}

TEST_F(chaos_verify, does_not_call_a_missing_topic_equal) {
  target_ = "verify-nobody-made-this";
  const outcome found = verify();
  EXPECT_EQ(found.code, 1);
  EXPECT_THAT(found.text, HasSubstr("does not exist"));
}

TEST_F(chaos_verify, refuses_a_flag_that_it_does_not_know) {
  EXPECT_EQ(verify("--wiat 3").code, 2);
}

}  // namespace
}  // namespace plain
