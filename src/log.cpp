#include "log.hpp"

#include <string_view>

#include "json_text.hpp"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace flow {
namespace {

spdlog::level::level_enum level_of(severity how) {
  switch (how) {
    case severity::trace: return spdlog::level::trace;
    case severity::debug: return spdlog::level::debug;
    case severity::info: return spdlog::level::info;
    case severity::warn: return spdlog::level::warn;
    case severity::error: return spdlog::level::err;
  }
  return spdlog::level::info;
}

class json_formatter final : public spdlog::formatter {
 public:
  /// `application` is escaped.
  explicit json_formatter(std::string application)
      : head_{R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l","thread":%t,"application":")",
              spdlog::pattern_time_type::utc, ""},
        application_{std::move(application)} {}

  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    head_.format(message, out);
    const auto text = escaped({message.payload.data(), message.payload.size()});
    const auto rest = application_ + R"(","text":")" + text + "\"}\n";
    out.append(rest.data(), rest.data() + rest.size());
  }
  std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<json_formatter>(application_); }

 private:
  spdlog::pattern_formatter head_;
  std::string application_;
};

}  // namespace

std::shared_ptr<spdlog::logger> make_logger(const std::string& application, bool json) {
  // Not registered with spdlog: nothing of ours is global.
  if (json) {
    auto logger = std::make_shared<spdlog::logger>(application, std::make_shared<spdlog::sinks::stderr_sink_mt>());
    logger->set_formatter(std::make_unique<json_formatter>(escaped(application)));
    return logger;
  }
  auto logger = std::make_shared<spdlog::logger>(application, std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
  logger->set_pattern("%Y-%m-%d %H:%M:%S.%e %^%-5l%$ %v");
  return logger;
}

log_sink log_to(std::shared_ptr<spdlog::logger> logger) {
  return [logger = std::move(logger)](severity how, std::string_view text) {
    logger->log(level_of(how), spdlog::string_view_t{text.data(), text.size()});
  };
}

void set_level(spdlog::logger& logger, severity least) { logger.set_level(level_of(least)); }

}  // namespace flow
