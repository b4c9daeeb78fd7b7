#pragma once

#include <optional>
#include <string>
#include <vector>

#include <flow/json.hpp>
#include <flow/rules.hpp>

namespace flow {

/// A record as a rule sees it.
struct judged {
  bytes value = "{}";
  bytes key{};
  std::vector<header> headers{};
  std::string topic = "orders";

  bool by(const rule& what) const { return what(view()); }
  rules::verdict by(const rules& all) const { return all.judge(view()); }
  std::optional<bool> decided_by(const rule& what) const { return what.decide(evidence{view()}); }

  record<bytes, bytes> view() const {
    from_.topic = topic;
    return {slot<bytes>{key}, slot<bytes>{value}, 0, headers, from_};
  }

  mutable origin from_{};
};

inline bool passes(const rule& what, bytes value) {
  return judged{.value = value}.by(what);
}

/// Why a rule cannot be decided; empty if it can.
inline std::string refusal(const rule& what, bytes value) {
  try {
    passes(what, value);
    return {};
  } catch (const json::malformed& why) {
    return why.what();
  }
}

/// All that is wrong with a rule.
inline std::string wrong(const rule& what) {
  std::string text;
  for (const flaw& each : what.flaws()) text += (text.empty() ? "" : "\n") + each.text + " (" + each.remedy + ")";
  return text;
}

}  // namespace flow
