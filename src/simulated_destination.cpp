#include "simulated_destination.hpp"

#include <set>
#include <stdexcept>
#include <utility>

namespace flow::testing {
namespace {

std::optional<std::string> text(bytes part) {
  return part.is_null() ? std::nullopt : std::optional{part.str()};
}

bytes view(const std::optional<std::string>& part) {
  return part ? bytes{*part} : bytes{};
}

delivery view_of(const arrival& what, std::vector<header>& headers) {
  for (const auto& each : what.what.headers) headers.push_back({each.key, view(each.value)});
  return {.key = view(what.what.key),
          .value = view(what.what.value),
          .headers = headers,
          .timestamp = what.what.timestamp,
          .from = {what.cluster, what.from.topic, what.from.partition, what.offset},
          .number = what.number,
          .idempotency_key = what.idempotency_key,
          .fencing_token = what.fencing_token,
          .attempt = what.attempt};
}

/// nullopt: nobody answers.
std::optional<std::vector<receipt>> arrive(outside_world& at, const sink_spec& sink,
                                           const std::vector<arrival>& batch) {
  std::vector<std::vector<header>> headers(batch.size());
  std::vector<delivery> views;
  for (const auto& each : batch) views.push_back(view_of(each, headers[views.size()]));
  std::vector<receipt> how;
  const auto record = [&](std::size_t i, std::optional<receipt> said) {
    at.arrivals.push_back(batch[i]);
    at.arrivals.back().said = std::move(said);
  };
  if (!at.says) {
    how = sink.to.call(views);
    for (std::size_t i = 0; i < batch.size(); ++i) record(i, how.at(i));
    return how;
  }
  std::set<std::pair<topic_partition, bytes>> failed;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (failed.contains({batch[i].from, views[i].key})) {
      how.push_back(receipt::retriable("stands behind one of its key that has failed"));
      continue;
    }
    auto said = at.says(views[i]);
    record(i, said);
    if (!said) return std::nullopt;
    if (said->what != receipt::kind::done) failed.emplace(batch[i].from, views[i].key);
    how.push_back(std::move(*said));
  }
  return how;
}

}  // namespace

simulated_destination::simulated_destination(simulation::inside& world, const sink_spec& sink, std::string instance,
                                             std::weak_ptr<port::mailbox> sender)
    : world_{world},
      sink_{std::make_shared<const sink_spec>(sink)},
      instance_{std::move(instance)},
      sender_{std::move(sender)} {
  if (!sink.to.call && !world.outside(sink.name).says)
    throw std::logic_error{"nothing stands for the destination of " + sink.name + ": world.destination(\"" + sink.name +
                           "\", ...)"};
}

void simulated_destination::deliver(std::span<const delivery> batch, report done) {
  std::vector<arrival> copies;
  for (const auto& each : batch) copies.push_back(copy_of(each));
  world_.clock.after(way(), [&world = world_, sink = sink_, copies = std::move(copies), back = way(), sender = sender_,
                             alive = std::weak_ptr{alive_}, done = std::move(done)] {
    auto how = arrive(world.outside(sink->name), *sink, copies);
    if (!how) return;
    world.clock.after(back, [how = std::move(*how), sender, alive, done] {
      const auto mailbox = sender.lock();
      if (!mailbox) return;
      mailbox->post([how, alive, done] {
        if (!alive.expired()) done(how);
      });
    });
  });
}

memory::microseconds simulated_destination::way() {
  const auto longest = static_cast<std::uint64_t>(world_.outside(sink_->name).longest.count());
  return memory::microseconds{world_.clock.random() % (longest + 1)};
}

arrival simulated_destination::copy_of(const delivery& what) const {
  arrival made{.instance = instance_,
               .what = {.key = text(what.key), .value = text(what.value), .timestamp = what.timestamp},
               .idempotency_key = std::string{what.idempotency_key},
               .fencing_token = what.fencing_token,
               .attempt = what.attempt,
               .cluster = std::string{what.from.cluster},
               .from = {std::string{what.from.topic}, what.from.partition},
               .offset = what.from.offset,
               .number = what.number,
               .said = {}};
  for (const auto& each : what.headers) made.what.headers.push_back({std::string{each.key}, text(each.value)});
  return made;
}

}  // namespace flow::testing
