#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <flow/flow.hpp>
#include <flow/testing.hpp>

namespace flow::testing {

using namespace std::chrono_literals;

using ::testing::AssertionResult;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// What the records of a partition say, and what all partitions of a topic hold.
using values = std::vector<std::string>;
using contents = std::vector<values>;

inline const topic_partition orders_0{"orders", 0}, orders_1{"orders", 1};

/// An application "sync" that copies topics from home to its targets, and words for what happens to it. What the
/// workers have said is printed when a test fails.
class scenario : public ::testing::Test {
 protected:
  scenario();
  void TearDown() override;

  /// A topic at home.
  void create(const std::string& topic, std::int32_t partitions = 1);
  /// Numbered records at home, which every target has to get: into one partition, or so many into each of a topic's.
  void write(const topic_partition& where, int count = 1);
  void write(const std::string& topic, int count = 1);
  /// One record at home, likewise.
  void write(const topic_partition& where, const raw_record& what);

  topology copies(std::vector<std::string> of = {"orders"}, fan_out_options how = {}) const;
  void start(const std::string& instance, const topology& what);
  void start(const std::string& instance) { start(instance, copies()); }
  void stop(const std::string& instance);

  contents at(const std::string& cluster, const std::string& topic);
  /// Every target comes to hold what was written, in order, and nothing more comes after that.
  AssertionResult copied(const std::string& topic);
  AssertionResult copied(const topic_partition& where);

  /// Lets time pass until something is true.
  bool eventually(const std::function<bool()>& holds, std::chrono::milliseconds look_every = 10ms);
  /// Waits until a process has ended by itself, and why it did.
  failure ends(const std::string& instance);
  /// Waits until a partition goes no further on a target, and why it does not.
  halted_partition stops(const topic_partition& where, const std::string& instance = "one",
                         const std::string& target = "tokyo");
  /// The instance's work on one target.
  target_status working(const std::string& instance, const std::string& target = "tokyo") const;
  bool ready(const std::string& instance) const;
  /// The workers have said this, somewhere.
  bool said(std::string_view text) const;

  simulation world;
  app_options options;
  std::vector<std::string> targets{"tokyo"};
  std::map<std::string, contents> written;  ///< by topic

 private:
  AssertionResult settles(const std::string& what, const std::function<contents(const std::string&)>& found,
                          const contents& expected);
};

}  // namespace flow::testing
