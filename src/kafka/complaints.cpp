#include "complaints.hpp"

#include <algorithm>
#include <utility>

namespace flow::kafka {
namespace {

using namespace std::chrono_literals;

constexpr auto first_pause = 10s;
constexpr auto longest_pause = 10min;
constexpr std::size_t most_causes = 256;

}  // namespace

complaints::complaints(std::string cluster, std::vector<std::string> secrets, log_sink log)
    : cluster_{std::move(cluster)}, secrets_{std::move(secrets)}, log_{std::move(log)} {}

std::string complaints::masked(std::string_view text) const {
  std::string out{text};
  for (const std::string& secret : secrets_)
    for (auto at = out.find(secret); at != std::string::npos; at = out.find(secret, at))
      out.replace(at, secret.size(), "***");
  return out;
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

void complaints::say(severity how, std::string_view cause, std::string_view text) {
  if (!log_) return;
  const int unsaid = due(std::string{cause});
  if (unsaid < 0) return;
  std::string line = cluster_ + ": " + masked(text);
  if (unsaid > 0) line += " (" + std::to_string(unsaid) + " more times since this was last said)";
  log_(how, line);
}

}  // namespace flow::kafka
