#pragma once

#include <compare>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <flow/wire.hpp>

namespace flow::memory {

struct record_header {
  std::string key;
  std::optional<std::string> value{};

  bool operator==(const record_header&) const = default;
};

/// A record by value, as tests write and compare it. The offset says nothing about a record that is being written.
struct record {
  std::optional<std::string> key{};
  std::optional<std::string> value{};
  std::int64_t timestamp = 0;
  std::vector<record_header> headers{};
  std::int64_t offset = 0;

  bool operator==(const record&) const = default;
};

record to_record(const fetched_record& from);

/// What a record takes, apart from framing.
std::size_t size_of(const fetched_record& record);

/// Copies of records in one block.
class packed_records {
 public:
  packed_records() = default;
  explicit packed_records(std::span<const fetched_record> from) { assign(from); }
  packed_records(const packed_records&) = delete;
  packed_records& operator=(const packed_records&) = delete;

  void assign(std::span<const fetched_record> from);
  /// Overwrites every byte, so that whoever looks at a record that he has given back sees it.
  void scribble();

  std::vector<fetched_record>& records() { return records_; }
  std::span<const fetched_record> records() const { return records_; }
  std::size_t size() const { return size_; }

 private:
  std::vector<char> block_;
  std::vector<header> headers_;
  std::vector<fetched_record> records_;
  std::size_t size_ = 0;
};

/// Lends out blocks of records. A block that comes back is scribbled over and stays so for as long as possible. Any
/// thread.
class lending_pool : public std::enable_shared_from_this<lending_pool> {
 public:
  std::shared_ptr<packed_records> lend();

 private:
  void take_back(std::unique_ptr<packed_records> block);

  std::mutex mutex_;
  std::deque<std::unique_ptr<packed_records>> blocks_;
};

}  // namespace flow::memory
