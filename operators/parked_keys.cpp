#include <flow/parked_keys.hpp>

#include <algorithm>

namespace flow {
namespace {

// Of an offset, and of what it takes to tell keys apart.
constexpr std::size_t beside_each = 16;

}  // namespace

void parked_keys::park(std::string_view node, std::string_view key, std::int64_t offset) {
  if (find(node, bytes{key})) return;
  if (!kept_ || kept_.use_count() > 1) kept_ = std::make_shared<contents>(kept_ ? *kept_ : contents{});
  auto& keys = kept_->nodes.try_emplace(std::string{node}).first->second;
  keys.emplace(key, offset);
  ++kept_->count;
  kept_->size += key.size() + beside_each;
  const std::hash<std::string_view> hash;
  kept_->sum += hash(key) * 31 + hash(node) + static_cast<std::size_t>(offset);
}

bool parked_keys::operator==(const parked_keys& other) const {
  if (!kept_ || !other.kept_ || kept_ == other.kept_) return kept_ == other.kept_;
  return kept_->count == other.kept_->count && kept_->sum == other.kept_->sum && kept_->nodes == other.kept_->nodes;
}

void parked_keys::add(const parked_keys& others) {
  if (empty()) kept_ = others.kept_;
  if (kept_ == others.kept_) return;
  for (const auto& [node, keys] : others.all())
    for (const auto& [key, offset] : keys) park(node, key, offset);
}

std::optional<std::int64_t> parked_keys::find(std::string_view node, bytes key) const {
  if (empty() || key.is_null()) return std::nullopt;
  const auto at = kept_->nodes.find(node);
  if (at == kept_->nodes.end()) return std::nullopt;
  const auto known = at->second.find(key.view());
  return known == at->second.end() ? std::nullopt : std::optional{known->second};
}

parked_keys parked_keys::only(const std::function<bool(const std::string& node)>& wanted) const {
  if (std::ranges::all_of(all(), [&](const auto& each) { return wanted(each.first); })) return *this;
  parked_keys some;
  for (const auto& [node, keys] : all())
    if (wanted(node))
      for (const auto& [key, offset] : keys) some.park(node, key, offset);
  return some;
}

const parked_keys::by_node& parked_keys::all() const {
  static const by_node none;
  return kept_ ? kept_->nodes : none;
}

}  // namespace flow
