#include "position.hpp"

#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <concepts>

namespace flow::engine {
namespace {

// Format: a version byte, then fields in order; integers big-endian, texts with their length in front. The second has
// what is parked behind each source partition, the third what a process keeps behind that.
constexpr char first_version = 1, with_parking = 2, with_processes = 3;

class encoder {
 public:
  explicit encoder(char version = first_version) { data_.push_back(version); }

  template <std::integral T>
  encoder& operator<<(T value) {
    const auto bits = static_cast<std::make_unsigned_t<T>>(value);
    for (int shift = 8 * (static_cast<int>(sizeof(T)) - 1); shift >= 0; shift -= 8)
      data_.push_back(static_cast<char>(bits >> shift & 0xff));
    return *this;
  }
  encoder& operator<<(std::string_view text) {
    *this << static_cast<std::uint32_t>(text.size());
    data_ += text;
    return *this;
  }
  encoder& operator<<(const writer& by) { return *this << by.instance << by.transactional_id << by.generation; }
  encoder& operator<<(const std::string& text) { return *this << std::string_view{text}; }
  encoder& operator<<(const stream_clock& what) { return *this << what.time << what.candidate << what.ahead; }
  encoder& operator<<(const process_position& what) { return *this << what.clock << what.keys; }
  encoder& operator<<(const parked_keys& what) {
    *this << static_cast<std::uint32_t>(what.all().size());
    for (const auto& [node, keys] : what.all()) {
      *this << node << static_cast<std::uint32_t>(keys.size());
      for (const auto& [key, offset] : keys) *this << key << offset;
    }
    return *this;
  }
  encoder& operator<<(const parking& what) {
    return *this << what.keys << what.letters.topic << what.letters.partition << what.settled << what.released
                 << what.until << what.commands;
  }

  std::string take() { return std::move(data_); }

 private:
  std::string data_;
};

class decoder {
 public:
  explicit decoder(std::string_view data) : data_{data} {
    const auto first = take(1);
    if (good_) version_ = first.front();
    newer_ = version_ > with_processes;
    good_ = good_ && version_ >= first_version && !newer_;
  }

  template <std::integral T>
  decoder& operator>>(T& value) {
    std::make_unsigned_t<T> bits = 0;
    for (const char c : take(sizeof(T))) bits = static_cast<decltype(bits)>(bits << 8 | static_cast<unsigned char>(c));
    value = static_cast<T>(bits);
    return *this;
  }
  decoder& operator>>(std::string& text) {
    std::uint32_t size = 0;
    *this >> size;
    text = take(size);
    return *this;
  }
  decoder& operator>>(stream_clock& what) { return *this >> what.time >> what.candidate >> what.ahead; }
  decoder& operator>>(process_position& what) { return *this >> what.clock >> what.keys; }
  decoder& operator>>(parked_keys& what) {
    std::uint32_t nodes = 0;
    *this >> nodes;
    for (; nodes > 0 && good_; --nodes) {
      std::string node, key;
      std::uint32_t keys = 0;
      std::int64_t offset = 0;
      *this >> node >> keys;
      for (; keys > 0 && good_; --keys) {
        *this >> key >> offset;
        what.park(node, key, offset);
      }
    }
    return *this;
  }
  decoder& operator>>(parking& what) {
    return *this >> what.keys >> what.letters.topic >> what.letters.partition >> what.settled >> what.released >>
           what.until >> what.commands;
  }
  decoder& operator>>(writer& by) { return *this >> by.instance >> by.transactional_id >> by.generation; }

  bool good() const { return good_; }
  bool has_parking() const { return version_ >= with_parking; }
  bool has_processes() const { return version_ >= with_processes; }

  /// The whole input made sense and nothing is left over.
  template <typename T>
  result<T> finish(T value) const {
    if (newer_)
      return fail(failure_kind::refused, "the lanes topic was written by a newer version of flow",
                  "run at least that version, or start over with an application name of its own");
    if (!good_ || !data_.empty())
      return fail(failure_kind::corrupt, "a record of the lanes topic cannot be read",
                  "only flow may write to its .internal topics; if nothing else did, restore the topic");
    return value;
  }

 private:
  std::string_view take(std::size_t size) {
    if (size > data_.size()) {
      good_ = false;
      data_ = {};
      return {};
    }
    const auto taken = data_.substr(0, size);
    data_.remove_prefix(size);
    return taken;
  }

  std::string_view data_;
  char version_ = 0;
  bool good_ = true;
  bool newer_ = false;
};

}  // namespace

fingerprint fingerprint_of(std::int64_t offset, std::int64_t timestamp, bytes key, bytes value) {
  const auto of = [](bytes part, std::uint64_t seed) {
    return XXH3_64bits_withSeed(part.data(), part.size(), seed + (part.is_null() ? 1 : 0));
  };
  return {offset, timestamp, of(value, of(key, 0))};
}

std::string encode(const claim& what) { return (encoder{} << what.by).take(); }

std::string encode(const position& what) {
  const bool parks = std::any_of(what.sources.begin(), what.sources.end(),
                                 [](const auto& each) { return each.second.parked != parking{}; });
  const bool keeps = std::any_of(what.sources.begin(), what.sources.end(),
                                 [](const auto& each) { return each.second.process.has_value(); });
  encoder out{keeps ? with_processes : parks ? with_parking : first_version};
  out << what.of.application << what.of.source_cluster << what.of.tasks << what.of.mapping << what.by << what.sequence
      << static_cast<std::uint32_t>(what.sources.size());
  for (const auto& [where, at] : what.sources) {
    out << where.topic << where.partition << at.next << at.last.offset << at.last.timestamp << at.last.hash << at.begin
        << at.look_back_to << static_cast<std::uint32_t>(at.dedups.size());
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
  return (encoder{} << what.topic).take();
}

result<claim> decode_claim(std::string_view data) {
  decoder in{data};
  claim what;
  in >> what.by;
  return in.finish(std::move(what));
}

result<position> decode_position(std::string_view data) {
  decoder in{data};
  position what;
  std::uint32_t count = 0;
  in >> what.of.application >> what.of.source_cluster >> what.of.tasks >> what.of.mapping >> what.by >> what.sequence >>
      count;
  for (std::uint32_t i = 0; i < count && in.good(); ++i) {
    topic_partition where;
    source_position at;
    std::uint32_t dedups = 0;
    in >> where.topic >> where.partition >> at.next >> at.last.offset >> at.last.timestamp >> at.last.hash >> at.begin >>
        at.look_back_to >> dedups;
    for (std::uint32_t j = 0; j < dedups && in.good(); ++j) {
      std::string name;
      dedup_position each;
      in >> name >> each.clock >> each.window;
      at.dedups.emplace(std::move(name), each);
    }
    if (in.has_parking()) in >> at.parked;
    std::uint8_t is_kept = 0;
    if (in.has_processes()) in >> is_kept;
    if (is_kept) in >> at.process.emplace();
    what.sources.emplace(std::move(where), at);
  }
  return in.finish(std::move(what));
}

result<command> decode_command(std::string_view data) {
  decoder in{data};
  command what;
  in >> what.topic;
  return in.finish(std::move(what));
}

}  // namespace flow::engine
