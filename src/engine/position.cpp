#include "position.hpp"

#include <xxhash.h>

#include <algorithm>
#include <utility>

#include "binary.hpp"

namespace flow::engine {
namespace {

// The second has what is parked behind each source partition, the third what a process keeps behind that.
constexpr char first_version = 1, with_parking = 2, with_processes = 3;

encoder& operator<<(encoder& out, const writer& by) {
  return out << by.instance << by.transactional_id << by.generation;
}

decoder& operator>>(decoder& in, writer& by) { return in >> by.instance >> by.transactional_id >> by.generation; }

encoder& operator<<(encoder& out, const fingerprint& what) { return out << what.offset << what.timestamp << what.hash; }

decoder& operator>>(decoder& in, fingerprint& what) { return in >> what.offset >> what.timestamp >> what.hash; }

encoder& operator<<(encoder& out, const stream_clock& what) {
  return out << what.time << what.candidate << what.ahead;
}

decoder& operator>>(decoder& in, stream_clock& what) { return in >> what.time >> what.candidate >> what.ahead; }

encoder& operator<<(encoder& out, const process_position& what) { return out << what.clock << what.keys; }

decoder& operator>>(decoder& in, process_position& what) { return in >> what.clock >> what.keys; }

encoder& operator<<(encoder& out, const parked_keys& what) {
  out << static_cast<std::uint32_t>(what.all().size());
  for (const auto& [node, keys] : what.all()) {
    out << node << static_cast<std::uint32_t>(keys.size());
    for (const auto& [key, offset] : keys) out << key << offset;
  }
  return out;
}

decoder& operator>>(decoder& in, parked_keys& what) {
  std::uint32_t nodes = 0;
  in >> nodes;
  for (; nodes > 0 && in.good(); --nodes) {
    std::string node, key;
    std::uint32_t keys = 0;
    std::int64_t offset = 0;
    in >> node >> keys;
    for (; keys > 0 && in.good(); --keys) {
      in >> key >> offset;
      what.park(node, key, offset);
    }
  }
  return in;
}

encoder& operator<<(encoder& out, const parking& what) {
  return out << what.keys << what.letters.topic << what.letters.partition << what.settled << what.released << what.until
             << what.commands;
}

decoder& operator>>(decoder& in, parking& what) {
  return in >> what.keys >> what.letters.topic >> what.letters.partition >> what.settled >> what.released >>
         what.until >> what.commands;
}

/// The whole input made sense and nothing is left over.
template <typename T>
result<T> finish(const decoder& in, T value) {
  if (in.is_newer())
    return fail(failure_kind::refused, "the lanes topic was written by a newer version of flow",
                "run at least that version, or start over with an application name of its own");
  if (!in.is_whole())
    return fail(failure_kind::corrupt, "a record of the lanes topic cannot be read",
                "only flow may write to its .internal topics; if nothing else did, restore the topic");
  return value;
}

}  // namespace

fingerprint fingerprint_of(std::int64_t offset, std::int64_t timestamp, bytes key, bytes value) {
  const auto of = [](bytes part, std::uint64_t seed) {
    return XXH3_64bits_withSeed(part.data(), part.size(), seed + (part.is_null() ? 1 : 0));
  };
  return {offset, timestamp, of(value, of(key, 0))};
}

fingerprint fingerprint_of(const port::kept_record& record) {
  const auto part = [](const std::optional<std::string>& text) { return text ? bytes{*text} : bytes{}; };
  return fingerprint_of(record.offset, record.timestamp, part(record.key), part(record.value));
}

std::string encode(const claim& what) {
  encoder out{first_version};
  return (out << what.by).take();
}

std::string encode(const position& what) {
  const bool parks = std::any_of(what.sources.begin(), what.sources.end(),
                                 [](const auto& each) { return each.second.parked != parking{}; });
  const bool keeps = std::any_of(what.sources.begin(), what.sources.end(),
                                 [](const auto& each) { return each.second.process.has_value(); });
  encoder out{keeps ? with_processes : parks ? with_parking : first_version};
  out << what.of.application << what.of.source_cluster << what.of.tasks << what.of.mapping << what.by << what.sequence
      << static_cast<std::uint32_t>(what.sources.size());
  for (const auto& [where, at] : what.sources) {
    out << where.topic << where.partition << at.next << at.last << at.begin << at.look_back_to
        << static_cast<std::uint32_t>(at.dedups.size());
    for (const auto& [name, each] : at.dedups)
      out << name << each.clock << each.window;
    if (parks || keeps) out << at.parked;
    if (!keeps) continue;
    out << static_cast<std::uint8_t>(at.process.has_value());
    if (at.process) out << *at.process;
  }
  return out.take();
}

std::string encode(const command& what) {
  encoder out{first_version};
  return (out << what.topic).take();
}

result<claim> decode_claim(std::string_view data) {
  decoder in{data, with_processes};
  claim what;
  in >> what.by;
  return finish(in, std::move(what));
}

result<position> decode_position(std::string_view data) {
  decoder in{data, with_processes};
  position what;
  std::uint32_t count = 0;
  in >> what.of.application >> what.of.source_cluster >> what.of.tasks >> what.of.mapping >> what.by >> what.sequence >>
      count;
  for (std::uint32_t i = 0; i < count && in.good(); ++i) {
    topic_partition where;
    source_position at;
    std::uint32_t dedups = 0;
    in >> where.topic >> where.partition >> at.next >> at.last >> at.begin >> at.look_back_to >> dedups;
    for (std::uint32_t j = 0; j < dedups && in.good(); ++j) {
      std::string name;
      dedup_position each;
      in >> name >> each.clock >> each.window;
      at.dedups.emplace(std::move(name), each);
    }
    if (in.version() >= with_parking) in >> at.parked;
    std::uint8_t is_kept = 0;
    if (in.version() >= with_processes) in >> is_kept;
    if (is_kept) in >> at.process.emplace();
    what.sources.emplace(std::move(where), at);
  }
  return finish(in, std::move(what));
}

result<command> decode_command(std::string_view data) {
  decoder in{data, with_processes};
  command what;
  in >> what.topic;
  return finish(in, std::move(what));
}

}  // namespace flow::engine
