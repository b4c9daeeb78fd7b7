#include "complaints.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <flow/masked.hpp>

#include "failures.hpp"

namespace flow::kafka {

/// Words by which a line of a client tells what keeps it from connecting.
struct symptom {
  std::string_view words;
  std::string_view cause{};
  std::string_view remedy{};  ///< empty: it says nothing that is not said elsewhere
  bool passes = false;        ///< a broker that is ending looks the same for a moment
};

namespace {

using namespace std::chrono_literals;

constexpr auto first_pause = 10s;
constexpr auto longest_pause = 10min;
constexpr std::size_t most_causes = 256;
constexpr auto lately = 1min;   ///< twice as long as a client keeps to itself what it has just said
constexpr auto moment = 100ms;  ///< after which a client has tried again to connect

/// The first that fits counts.
const symptom* symptom_in(std::string_view line) {
  constexpr std::string_view protocol = "protocol";
  constexpr std::string_view unreachable = "unreachable";
  static const std::array known{
      // How many are down was said of each of them, and a client that is being closed fails in many ways.
      symptom{"brokers are down"},
      symptom{"Broker handle destroyed"},
      symptom{"certificate verify failed", "certificate",
              "check ssl.ca.location of this cluster, and the names in its certificates"},
      symptom{"alert certificate required", "own certificate",
              "check ssl.certificate.location and ssl.key.location of this cluster"},
      symptom{"SSL handshake failed", protocol,
              "check security.protocol of this cluster: its listener may not speak TLS"},
      symptom{"security.protocol", protocol,
              "check security.protocol of this cluster: its listener may want ssl, sasl_ssl or sasl_plaintext", true},
      symptom{"while requesting ApiVersion", protocol,
              "check bootstrap.servers of this cluster: something else than Kafka may listen there", true},
      symptom{"mechanism handshake failed", "mechanism", "check security.protocol and sasl.mechanism of this cluster"},
      symptom{"SASL authentication error", "login", "check sasl.username and sasl.password of this cluster"},
      symptom{"SASL", "login", remedy_for(RD_KAFKA_RESP_ERR__AUTHENTICATION)},
      symptom{"SSL routines", "TLS", remedy_for(RD_KAFKA_RESP_ERR__SSL)},
      symptom{"Failed to resolve", "name", remedy_for(RD_KAFKA_RESP_ERR__RESOLVE)},
      symptom{"Connect to ", unreachable, remedy_for(RD_KAFKA_RESP_ERR__TRANSPORT)},
      symptom{"Connection setup timed out", unreachable, remedy_for(RD_KAFKA_RESP_ERR__TRANSPORT)},
      symptom{"request(s) timed out", unreachable, remedy_for(RD_KAFKA_RESP_ERR__TRANSPORT)},
  };
  const auto found =
      std::ranges::find_if(known, [&](const symptom& each) { return line.find(each.words) != line.npos; });
  return found == known.end() ? nullptr : &*found;
}

/// Without the client's thread in front, and without its state and counts at the end.
std::string_view essence(std::string_view line) {
  if (const auto thread = line.find("]: "); line.starts_with("[thrd:") && thread != line.npos)
    line.remove_prefix(thread + 3);
  const auto state = line.rfind(" (after ");
  return line.ends_with(')') ? line.substr(0, state) : line;
}

}  // namespace

complaints::complaints(std::string cluster, std::vector<std::string> secrets, log_sink log)
    : cluster_{std::move(cluster)}, secrets_{std::move(secrets)}, log_{std::move(log)} {}

std::string complaints::masked(std::string_view text) const {
  return flow::masked(text, secrets_);
}

int complaints::due(std::string cause) {
  // Durations and counts differ from one time to the next, the cause does not.
  std::erase_if(cause, [](char c) { return c >= '0' && c <= '9'; });
  const auto now = clock::now();
  const std::lock_guard lock{mutex_};
  if (causes_.size() >= most_causes) std::erase_if(causes_, [&](const auto& each) { return each.second.next < now; });
  if (causes_.size() >= most_causes) causes_.clear();
  const auto [found, is_new] = causes_.try_emplace(std::move(cause), said{now, first_pause, 0});
  said& before = found->second;
  if (!is_new && now > before.next + 2 * longest_pause) before = {now, first_pause, 0};
  if (now < before.next) {
    ++before.unsaid;
    return -1;
  }
  before.next = now + before.pause;
  before.pause = std::min<clock::duration>(2 * before.pause, longest_pause);
  return std::exchange(before.unsaid, 0);
}

bool complaints::is_certain(const symptom& of) {
  if (of.remedy.empty()) return false;
  const auto now = clock::now();
  const std::lock_guard lock{mutex_};
  if (!of.passes) {
    doubted_since_.reset();
  } else if (!doubted_since_ || now > *doubted_since_ + lately) {
    doubted_since_ = now;
  }
  if (doubted_since_ && now < *doubted_since_ + moment) return false;
  remedy_ = of.remedy;
  remedy_ends_ = now + lately;
  return true;
}

void complaints::explain(failure& unanswered) {
  const std::lock_guard lock{mutex_};
  if (clock::now() < remedy_ends_) unanswered.remedy = remedy_;
}

void complaints::say(severity how, std::string_view text) {
  if (!log_) return;
  const std::string_view told = essence(text);
  const symptom* const found = symptom_in(told);
  const bool certain = found && is_certain(*found);
  const int unsaid = due(std::string{certain ? found->cause : told});
  if (unsaid < 0) return;
  if (found) how = certain ? severity::warn : severity::debug;
  std::string line = cluster_ + ": " + masked(told);
  if (certain) line.append(" (").append(found->remedy).append(")");
  if (unsaid > 0) line += " (" + std::to_string(unsaid) + " more times since this was last said)";
  log_(how, line);
}

}  // namespace flow::kafka
