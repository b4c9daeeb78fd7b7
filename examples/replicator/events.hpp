#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include <flow/raw_record.hpp>

#include "settings.hpp"

namespace replicator {

/// A business event, and what has to become of it: decided from how it was made, not by the rules.
struct event {
  enum class fate { replicated, left_out, repeated, malformed };

  std::int32_t partition = 0;
  flow::raw_record record;
  fate due = fate::left_out;
};

/// Makes business events of a few customers, always the same from one seed.
class event_maker {
 public:
  event_maker(std::uint64_t seed, std::int32_t partitions, settings::event_settings rules)
      : dice_{seed}, partitions_{partitions}, rules_{std::move(rules)} {}

  event next(std::int64_t time);
  /// One with a lot to say, of `size` bytes at least.
  event large(std::int64_t time, std::size_t size);

 private:
  event of(std::size_t customer, const std::string& source, const std::string& type, const std::string& note);
  std::size_t roll(std::size_t sides) { return dice_() % sides; }

  std::mt19937_64 dice_;
  std::int32_t partitions_;
  settings::event_settings rules_;
  std::vector<event> latest_;
  std::uint64_t made_ = 0;
};

}  // namespace replicator
