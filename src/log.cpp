#include "log.hpp"

#include <algorithm>
#include <string_view>

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

// Length of the UTF-8 sequence that `text` begins with, 0 if it begins with none (RFC 3629).
std::size_t sequence_length(std::string_view text) {
  const auto at = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const auto first = at(0);
  const std::size_t length = first < 0x80                    ? 1
                             : first >= 0xc2 && first < 0xe0 ? 2
                             : first >= 0xe0 && first < 0xf0 ? 3
                             : first >= 0xf0 && first < 0xf5 ? 4
                                                             : 0;
  for (std::size_t i = 1; i < length; ++i)
    if (at(i) >> 6 != 2) return 0;
  const bool overlong = (first == 0xe0 && at(1) < 0xa0) || (first == 0xf0 && at(1) < 0x90);
  const bool no_character = (first == 0xed && at(1) > 0x9f) || (first == 0xf4 && at(1) > 0x8f);
  return overlong || no_character ? 0 : length;
}

// A text as the inside of a JSON string (RFC 8259). What an exception of user code says need not be UTF-8.
std::string escaped(std::string_view text) {
  constexpr char digits[] = "0123456789abcdef";
  constexpr std::string_view replacement = "\xef\xbf\xbd";
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const char c = text.front();
    const auto length = sequence_length(text);
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (length == 0) {
      out += replacement;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += "\\u00";
      out += {digits[c >> 4 & 0xf], digits[c & 0xf]};
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out;
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
