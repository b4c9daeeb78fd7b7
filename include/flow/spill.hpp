#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <utility>

#include <flow/failure.hpp>
#include <flow/log.hpp>
#include <flow/ports.hpp>

namespace flow {

/// Memory that several have together, and room on disk for what does not fit into it. What lies there is of this
/// process alone and ends with it. May be used by any thread; outlives all who use it.
class spill {
 public:
  using opener = std::function<result<std::unique_ptr<port::scratch>>()>;

  /// `memory`: bytes; `open` is asked for one file after the other, as they fill up.
  spill(std::size_t memory, opener open, log_sink log)
      : memory_{memory}, open_{std::move(open)}, log_{std::move(log)} {}
  spill(const spill&) = delete;
  spill& operator=(const spill&) = delete;

  /// Bytes of memory that one of them takes.
  class share {
   public:
    explicit share(spill* of) : of_{of} {}
    share(share&& other) noexcept : of_{other.of_}, taken_{std::exchange(other.taken_, 0)} {}
    share& operator=(share&&) = delete;
    ~share() { take(0); }
    void take(std::size_t bytes) {
      if (of_) of_->in_memory_ += bytes - std::exchange(taken_, bytes);
    }

   private:
    spill* of_;
    std::size_t taken_ = 0;
  };

  class place;
  /// Room for so many bytes.
  result<place> claim(std::uint64_t bytes);
  /// `what` has failed on disk, be it a `claim` or a `place`; it is logged unless the same is known already.
  void complain(const failure& what);
  /// The disk has taken what it was given.
  void settle();

  /// They take more than they may.
  bool is_over() const { return in_memory() > memory_; }
  std::size_t memory() const { return memory_; }
  std::size_t in_memory() const { return in_memory_; }
  std::uint64_t on_disk() const { return on_disk_; }

 private:
  struct file;

  const std::size_t memory_;
  const opener open_;
  const log_sink log_;
  std::atomic<std::size_t> in_memory_ = 0;
  std::atomic<std::uint64_t> on_disk_ = 0;
  std::mutex mutex_;
  std::shared_ptr<file> newest_;
  std::set<std::string> complaints_;
};

/// Bytes on disk, given back when it is destroyed.
class spill::place {
 public:
  place() = default;
  place(spill& of, std::shared_ptr<file> in, std::uint64_t begin, std::uint64_t size);
  place(place&& other) noexcept;
  place& operator=(place&& other) noexcept;
  ~place();

  result<void> write(std::uint64_t at, std::span<const std::byte> what);
  result<void> read(std::uint64_t at, std::span<std::byte> into) const;

 private:
  spill* of_ = nullptr;
  std::shared_ptr<file> in_;
  std::uint64_t begin_ = 0;
  std::uint64_t size_ = 0;
};

}  // namespace flow
