#include <flow/policy.hpp>

#include <xxhash.h>

#include <algorithm>
#include <cstdint>

#include <flow/record.hpp>

namespace flow {
namespace {

std::string in_words(std::chrono::milliseconds time) {
  const auto count = time.count();
  return count % 1000 == 0 ? std::to_string(count / 1000) + "s" : std::to_string(count) + "ms";
}

std::string last_resort(const policy& what) {
  switch (what.what()) {
    case policy::kind::stop:
      return "stop";
    case policy::kind::skip:
      return "skip";
    case policy::kind::dead_letter:
      return "dead_letter(" + what.topic() + ")";
    case policy::kind::park_key:
      return "park_key(" + what.topic() + ")";
  }
  return {};
}

}  // namespace

// Between nothing and the bound that doubles with each try.
std::chrono::milliseconds pause_after(int failed, const pauses& between, const origin& from) {
  const int doublings = std::min(failed - 1, 30);
  const auto bound = std::min(between.to, between.from * (std::int64_t{1} << doublings));
  const std::uint64_t dice[] = {static_cast<std::uint64_t>(from.offset), static_cast<std::uint64_t>(from.partition),
                                static_cast<std::uint64_t>(failed)};
  return std::chrono::milliseconds{XXH3_64bits(dice, sizeof dice) % static_cast<std::uint64_t>(bound.count() + 1)};
}

std::string policy::text() const {
  if (tries_.times == 0) return last_resort(*this);
  std::string limit = tries_.times == forever ? "forever" : std::to_string(tries_.times);
  if (tries_.within != retries{}.within) limit = in_words(tries_.within);
  const std::string first = "retry(" + limit + ")";
  return kind_ == kind::stop ? first : first + ".then(" + last_resort(*this) + ")";
}

}  // namespace flow
