#include <flow/verify.hpp>

#include <chrono>

#include <flow/topology.hpp>

#include "inquiry.hpp"
#include "log.hpp"
#include "side_by_side.hpp"
#include "survey.hpp"

namespace flow {
namespace {

using namespace std::chrono_literals;

constexpr auto patience = 15s;

}  // namespace

std::string to_string(const difference& what) {
  const auto offset = [](const std::optional<std::int64_t>& of) { return of ? std::to_string(*of) : "?"; };
  const auto record = "offset " + offset(what.from_offset) + " of " + to_string(what.from);
  switch (what.what) {
    case difference::kind::missing:
      return record + " is missing, " + (what.offset ? "before offset " + offset(what.offset) : "at the end");
    case difference::kind::repeated:
      return "offset " + offset(what.offset) + " is " + record + " once more";
    case difference::kind::reordered:
      return "offset " + offset(what.offset) + " is " + record + ", which comes too early";
    case difference::kind::changed:
      return "offset " + offset(what.offset) + " is " + record + " with another " + std::string{what.part};
    case difference::kind::unexpected:
      break;
  }
  return "offset " + offset(what.offset) + " is no record that belongs there";
}

result<void> verify(const topology& of, app_options where, const std::function<void(const verified_partition&)>& see,
                    verify_options how) {
  surroundings there{.clusters = {}, .home = where.home};
  for (const auto& [name, properties] : where.clusters) there.clusters.push_back(name);
  const auto what = of.build(there);
  const app checked{what, where};
  if (where.application.empty()) where.application = what->application();
  if (!where.logger) where.logger = make_logger(where.application);
  for (const auto& spec : what->sources())
    if (!spec.through.empty())
      return fail(failure_kind::refused,
                  "what goes through '" + spec.through +
                      "' cannot be compared, since it is deleted when every target has read it",
                  "verify topologies without repartition, async_map and process");
  inquiries asked{where, patience};
  const auto known = survey_of(what, {where.application, where.home}, how.cluster, asked);
  if (!known) return tl::unexpected{known.error()};
  readers by{asked};
  for (const auto& sources : known->groups()) {
    side_by_side both{*known, sources, by};
    if (auto done = both.run(how.stop); !done) return done;
    both.tell(see);
  }
  return {};
}

}  // namespace flow
