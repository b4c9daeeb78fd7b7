#include <algorithm>
#include <ostream>
#include <stop_token>
#include <thread>

#include <flow/dead_letters.hpp>
#include <flow/spelling.hpp>

#include "http/bodies.hpp"
#include "json_text.hpp"
#include "log.hpp"
#include "verbs.hpp"

namespace flow::verbs {
namespace {

using namespace std::chrono_literals;

/// What a person can read, and no terminal obeys.
std::string readable(const std::optional<std::string>& part) {
  if (!part) return "null";
  return is_utf8(*part) ? in_json(*part) : "base64 " + http::base64(*part);
}

std::string member(std::string_view name, const std::optional<std::string>& part) {
  const std::string start = "\"" + std::string{name};
  if (!part) return start + "\":null";
  return is_utf8(*part) ? start + "\":" + in_json(*part) : start + "_base64\":\"" + http::base64(*part) + '"';
}

std::string counted(std::uint64_t count, std::string_view what) {
  return std::to_string(count) + " " + std::string{what} + (count == 1 ? "" : "s");
}

std::string replays_of(const letters_alike& what) {
  if (!what.replayed) return ", of which it cannot be asked how many are replayed";
  return *what.replayed > 0 ? ", " + std::to_string(*what.replayed) + " replayed" : "";
}

void print(const letters_in& topic, listing as, std::ostream& out) {
  const auto where = "{\"cluster\":" + in_json(topic.cluster) + ",\"topic\":" + in_json(topic.topic);
  if (as == listing::text && (!topic.letters.empty() || topic.others > 0))
    out << topic.cluster << ": " << topic.topic << "\n";
  for (const auto& each : topic.letters)
    if (as == listing::json)
      out << where << ",\"node\":" << in_json(each.node) << ",\"reason\":" << in_json(to_string(each.reason))
          << ",\"from\":" << in_json(each.topic) << ",\"letters\":" << each.letters
          << ",\"replayed\":" << (each.replayed ? std::to_string(*each.replayed) : "null") << "}\n";
    else
      out << "  " << counted(each.letters, "letter") << " of " << each.node << ", " << to_string(each.reason)
          << ", from " << each.topic << replays_of(each) << "\n";
  if (topic.others == 0) return;
  if (as == listing::json)
    out << where << ",\"others\":" << topic.others << "}\n";
  else
    out << "  " << counted(topic.others, "record") << " of something else\n";
}

void print_line(const shown_letter& what, std::ostream& out) {
  out << "{\"cluster\":" << in_json(what.cluster) << ",\"topic\":" << in_json(what.where.topic)
      << ",\"partition\":" << what.where.partition << ",\"offset\":" << what.what.offset
      << ",\"node\":" << in_json(what.node) << ",\"reason\":" << in_json(to_string(what.reason))
      << ",\"text\":" << in_json(what.text) << ",\"attempts\":" << what.attempts << ",\"time\":" << what.time
      << ",\"from\":{\"cluster\":" << in_json(what.from_cluster) << ",\"topic\":" << in_json(what.from.topic)
      << ",\"partition\":" << what.from.partition << ",\"offset\":" << what.from_offset
      << "},\"timestamp\":" << what.what.timestamp << ',' << member("key", what.what.key) << ','
      << member("value", what.what.value) << ",\"headers\":[";
  std::string_view between;
  for (const auto& each : what.what.headers) {
    out << between << '{' << member("key", each.key) << ',' << member("value", each.value) << '}';
    between = ",";
  }
  out << "]}\n";
}

void print(const shown_letter& what, std::ostream& out) {
  out << what.cluster << ": " << to_string(what.where) << " offset " << what.what.offset << "\n  " << what.node << ", "
      << to_string(what.reason) << ", " << counted(static_cast<std::uint64_t>(what.attempts), "attempt") << ", last at "
      << time_of(what.time) << ": " << escaped(what.text) << "\n  from " << what.from_cluster << ": "
      << to_string(what.from) << " offset " << what.from_offset << ", of " << time_of(what.what.timestamp) << "\n  key "
      << readable(what.what.key) << "\n  value " << readable(what.what.value) << "\n";
  for (const auto& each : what.what.headers)
    out << "  header " << readable(each.key) << ": " << readable(each.value) << "\n";
}

/// Of what no cluster had to be asked for.
void check_cluster(const std::optional<std::string>& on, const app_options& options) {
  if (!on || options.clusters.contains(*on)) return;
  std::vector<std::string> names;
  for (const auto& [name, properties] : options.clusters) names.push_back(name);
  const auto meant = spelling::nearest(*on, names);
  throw configuration_error{{{{"--on", 0, 0},
                              "cluster " + *on + " is not among the clusters",
                              meant.empty() ? "known are " + spelling::either(names) : "did you mean " + meant + "?"}}};
}

dead_letters letters_of(const builder& build, const app_options& options, const std::vector<std::string>& others,
                        const invocation& how) {
  return checked(how, [&] { return dead_letters{build(), options, others}; });
}

}  // namespace

std::string in_json(std::string_view text) {
  return '"' + escaped(text) + '"';
}

std::string time_of(std::int64_t milliseconds) {
  return scalar<start_at>::write({start_at::kind::time, milliseconds});
}

int tell(const failure& why, invocation& how) {
  how.err << "error: " << to_string(why) << "\n";
  return code(why.kind == failure_kind::missing ? exit_code::misused : exit_code::failed);
}

int list_letters(const builder& build, app_options options, const list_options& as, invocation& how) {
  check_cluster(as.on, options);
  const auto found = letters_of(build, options, as.letters, how).list(as.on);
  if (!found) return tell(found.error(), how);
  std::uint64_t all = 0;
  for (const auto& each : *found) {
    print(each, as.format, how.out);
    for (const auto& alike : each.letters) all += alike.letters;
  }
  if (as.format == listing::text && all == 0) how.out << "no dead letters\n";
  return code(exit_code::good);
}

int show_letters(const builder& build, app_options options, const show_options& which, invocation& how) {
  check_cluster(which.on, options);
  const letters_wanted wanted{.topic = which.topic,
                              .cluster = which.on,
                              .partition = which.partition,
                              .offset = which.offset,
                              .limit = static_cast<std::uint64_t>(which.limit),
                              .node = which.node,
                              .reason = which.reason,
                              .key = which.key};
  const auto shown = letters_of(build, options, which.letters, how).show(wanted, [&](const shown_letter& each) {
    which.format == listing::json ? print_line(each, how.out) : print(each, how.out);
  });
  return shown ? code(exit_code::good) : tell(shown.error(), how);
}

int replay_letters(const builder& build, app_options options, const replay_options& which, invocation& how) {
  check_cluster(which.on, options);
  const auto letters = letters_of(build, options, which.letters, how);
  const auto stops = block_stop_signals();
  std::stop_source told;
  std::atomic<bool> is_over = false;
  result<letters_replayed> done;
  {
    const std::jthread work{[&] {
      done = letters.replay({.cluster = which.on, .pass_over_strangers = which.pass_over_strangers}, told.get_token());
      is_over = true;
    }};
    while (!is_over)
      if (signalled(stops, 100ms)) told.request_stop();
  }
  if (!done) return tell(done.error(), how);
  how.out << "replayed " << counted(done->replayed, "letter");
  if (done->released > 0) how.out << "; released " << counted(done->released, "parked key");
  if (done->parked > 0) how.out << "; parked are " << counted(done->parked, "key");
  if (done->failed > 0) how.out << "; " << done->failed << " of them failed again";
  if (done->dropped > 0) how.out << "; " << done->dropped << " did not come any more to where they had failed";
  if (done->passed_over > 0)
    how.out << "; passed over " << counted(done->passed_over, "record") << " of something else";
  how.out << "\n";
  return code(exit_code::good);
}

}  // namespace flow::verbs
