#include "tally.hpp"

#include <algorithm>
#include <utility>

namespace flow {
namespace {

/// The letter is one that waits for a release.
bool holds(const engine::parking& parked, const letter& what, const fetched_record& record) {
  if (record.offset < parked.settled) return false;
  const auto is_behind = [&](const parked_keys& keys) {
    const auto first = keys.find(what.node, record.key);
    return first && *first <= what.from.offset;
  };
  return is_behind(parked.keys) || is_behind(parked.released);
}

letters_alike& like(const letter& what, std::vector<letters_alike>& among) {
  const auto is_alike = [&](const letters_alike& each) {
    return each.node == what.node && each.reason == what.reason && each.topic == what.from.topic;
  };
  const auto known = std::ranges::find_if(among, is_alike);
  if (known != among.end()) return *known;
  return among.emplace_back(letters_alike{std::string{what.node}, what.reason, std::string{what.from.topic}});
}

}  // namespace

result<std::vector<letters_in>> tally::run() {
  const auto partitions = by_.partitions(cluster_);
  if (!partitions) return tl::unexpected{partitions.error()};
  const auto there = by_.at(cluster_).ranges(*partitions);
  if (!there) return tl::unexpected{there.error()};
  ask_for_replays(*partitions, *there);
  for (const auto& each : *partitions) topics_.try_emplace(each.topic, letters_in{cluster_, each.topic});
  const auto see = [&](const topic_partition& where, const fetched_record& record) { return add(where, record), true; };
  if (auto read = by_.at(cluster_).read(*there, see); !read) return tl::unexpected{read.error()};
  std::vector<letters_in> found;
  for (auto& [name, each] : topics_) found.push_back(std::move(each));
  return found;
}

void tally::ask_for_replays(const std::vector<topic_partition>& partitions,
                            const std::map<topic_partition, inquiry::range>& there) {
  for (const auto& each : by_.passes_on(cluster_))
    if (auto places = by_.places(*by_.replay(each, there), each, partitions)) replayed_[each.kind] = *std::move(places);
  if (auto parked = by_.parked_on(cluster_)) parked_ = *std::move(parked);
}

void tally::add(const topic_partition& where, const fetched_record& record) {
  auto& into = topics_.at(where.topic);
  const auto what = read_letter(record.headers);
  if (!what || what->from.cluster != by_.own_names().home) {
    ++into.others;
    return;
  }
  auto& alike = like(*what, into.letters);
  ++alike.letters;
  const auto replayed = is_replayed(where, *what, record);
  if (!replayed) alike.replayed.reset();
  if (replayed && *replayed && alike.replayed) ++*alike.replayed;
}

// nullopt: nobody can be asked.
std::optional<bool> tally::is_replayed(const topic_partition& where, const letter& what,
                                       const fetched_record& record) const {
  if (by_.is_parked(what, record.key)) {
    if (!parked_) return std::nullopt;
    const auto of_source = parked_->find({std::string{what.from.topic}, what.from.partition});
    return of_source == parked_->end() || !holds(of_source->second, what, record);
  }
  const auto places = replayed_.find(kind_of(what));
  if (places == replayed_.end()) return std::nullopt;
  const auto place = places->second.find(where);
  return place != places->second.end() && record.offset < place->second;
}

}  // namespace flow
