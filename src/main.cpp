#include <flow/main.hpp>

#include <pthread.h>
#include <signal.h>

#include <cstdio>
#include <ctime>
#include <ostream>

#include "log.hpp"

#include <spdlog/spdlog.h>

namespace flow {
namespace {

using namespace std::chrono_literals;

// How long a program may take to finish what is under way before it abandons it.
constexpr auto stop_limit = 25s;

int code(exit_code what) { return static_cast<int>(what); }

sigset_t stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

bool signalled(const sigset_t& set, std::chrono::milliseconds limit) {
  const timespec wait{static_cast<time_t>(limit.count() / 1000), static_cast<long>(limit.count() % 1000) * 1'000'000};
  return sigtimedwait(&set, nullptr, &wait) > 0;
}

bool is_over(const app& running) {
  const auto phase = running.status().phase;
  return phase == app_phase::stopped || phase == app_phase::failed;
}

}  // namespace

complaint scalar<start_at>::read(std::string_view text, start_at& out) {
  if (text == "earliest") return out = start_at{}, complaint{};
  if (text == "latest") return out = {start_at::kind::latest, 0}, complaint{};
  std::tm parts{};
  const std::string copy{text};
  const char* rest = strptime(copy.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  if (!rest) rest = strptime(copy.c_str(), "%Y-%m-%d", &parts);
  if (!rest || (std::string_view{rest} != "Z" && *rest != 0))
    return {"is not a place to start", "use earliest, latest, or a time in UTC like 2026-01-31T12:00:00Z"};
  out = {start_at::kind::time, static_cast<std::int64_t>(timegm(&parts)) * 1000};
  return {};
}

std::string scalar<start_at>::write(const start_at& value) {
  if (value.where == start_at::kind::earliest) return "earliest";
  if (value.where == start_at::kind::latest) return "latest";
  const auto seconds = static_cast<time_t>(value.time / 1000);
  std::tm parts{};
  char text[32];
  gmtime_r(&seconds, &parts);
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

app_options app_settings::options() const {
  app_options made;
  made.application = application;
  made.instance = instance;
  made.home = home;
  made.clusters = clusters;
  made.threads = threads;
  made.state = state;
  made.promised = guarantee;
  made.start = start;
  made.commit_every = commit_every;
  made.lanes = lanes;
  made.memory = memory.bytes;
  made.leave_on_stop = on_stop == flow::on_stop::leave;
  made.fresh = fresh;
  made.session = session;
  made.logger = make_logger(application, log.format == log_format::json);
  set_level(*made.logger, log.level);
  return made;
}

namespace verbs {

namespace {

int run_until_told(app& running, const log_sink& log) {
  // Blocked before any thread is made, so that only this one ever gets them.
  const auto stops = stop_signals();
  pthread_sigmask(SIG_BLOCK, &stops, nullptr);
  signal(SIGPIPE, SIG_IGN);

  running.on_change([&, was_ready = false](const app_status& now) mutable {
    if (const bool ready = now.ready(); ready != was_ready) {
      was_ready = ready;
      log(severity::info, ready ? "ready" : now.phase == app_phase::running ? "not ready" : "stopping");
    }
  });
  if (auto started = running.start(); !started) {
    log(severity::error, to_string(started.error()));
    return code(exit_code::failed);
  }
  while (!is_over(running) && !signalled(stops, 200ms)) {
  }
  if (!is_over(running)) {
    log(severity::info, "stopping; a second signal ends it at once");
    running.request_stop();
    const auto limit = std::chrono::steady_clock::now() + stop_limit;
    bool at_once = false;
    while (!is_over(running) && !at_once && std::chrono::steady_clock::now() < limit)
      at_once = signalled(stops, 50ms);
    running.stop(0ms);
  }
  if (auto over = running.wait(); !over) {
    log(severity::error, to_string(over.error()));
    return code(exit_code::failed);
  }
  log(severity::info, "stopped");
  return code(exit_code::good);
}

// What checking finds out by throwing, a line for each problem.
int refuse(const std::exception& why, const invocation& how) {
  const std::string name = how.config.empty() ? "configuration" : how.config;
  std::string_view rest = why.what();
  while (!rest.empty()) {
    const auto line = rest.substr(0, rest.find('\n'));
    how.err << name << ": error: " << line << '\n';
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
  }
  return code(exit_code::misused);
}

template <class Check>
int checked(const invocation& how, Check check) {
  try {
    return check();
  } catch (const topology_error& wrong) {
    return refuse(wrong, how);
  } catch (const std::invalid_argument& wrong) {
    return refuse(wrong, how);
  }
}

}  // namespace

int run(const builder& build, app_options options, bool enabled, invocation& how) {
  const auto log = log_to(options.logger);
  if (!enabled) {
    log(severity::info, "not enabled: nothing is run");
    return code(exit_code::good);
  }
  std::unique_ptr<app> running;
  const int refused = checked(how, [&] {
    running = std::make_unique<app>(build(), std::move(options));
    return code(exit_code::good);
  });
  return running ? run_until_told(*running, log) : refused;
}

int lint(const builder& build, app_options options, invocation& how) {
  return checked(how, [&] {
    const app good{build(), std::move(options)};
    how.out << (how.config.empty() ? "configuration" : how.config) << ": good\n";
    return code(exit_code::good);
  });
}

int describe(const builder& build, const app_options& options, format as, invocation& how) {
  surroundings where{.clusters = {}, .home = options.home};
  for (const auto& [name, properties] : options.clusters) where.clusters.push_back(name);
  return checked(how, [&] {
    how.out << flow::describe(*build().build(where), as);
    return code(exit_code::good);
  });
}

}  // namespace verbs
}  // namespace flow
