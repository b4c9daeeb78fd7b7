#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "survey.hpp"

#include <flow/arena.hpp>
#include <flow/plan.hpp>

namespace flow {

/// Takes the records of one source partition through the operators.
class passage_of_source {
 public:
  /// `sinks`: bit i: what goes to sink i is wanted.
  passage_of_source(const plan& what, const source_at_home& from, std::uint64_t sinks);

  /// What becomes of a record; valid until the next. Why nothing does: its partition stops there.
  tl::expected<std::span<const emission>, std::string> push(const fetched_record& record);

  /// A dedup may have judged the last record otherwise, by what came before the first that is left.
  bool is_uncertain() const;

 private:
  const plan& what_;
  const source_at_home& from_;
  std::uint64_t sinks_;
  std::unique_ptr<graph> graph_;
  std::vector<emission> emissions_;
  arena written_;
  bool has_begun_ = false;
  std::int64_t first_time_ = 0, latest_ = std::numeric_limits<std::int64_t>::min();
};

}  // namespace flow
