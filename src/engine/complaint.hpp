#pragma once

#include <optional>
#include <string>

#include "loop.hpp"

#include <flow/log.hpp>

namespace flow::engine {

/// What keeps something from going on: said when it begins, then at rising intervals, and when it is over.
class complaint {
 public:
  complaint(const loop& on, log_sink log, std::string about) : on_{on}, log_{std::move(log)}, about_{std::move(about)} {}

  void raise(const failure& why) {
    const bool same = current_ && current_->text == why.text;
    current_ = why;
    if (same && on_.now() < again_) return;
    if (!same) interval_ = std::chrono::seconds{30};
    again_ = on_.now() + interval_;
    if (interval_ < std::chrono::minutes{10}) interval_ *= 2;
    log_(severity::warn, about_ + ": " + to_string(why));
  }

  void settle() {
    if (current_) log_(severity::info, about_ + ": going on");
    current_.reset();
  }

  const std::optional<failure>& current() const { return current_; }

 private:
  const loop& on_;
  log_sink log_;
  std::string about_;
  std::optional<failure> current_;
  time_point again_{};
  duration interval_{};
};

}  // namespace flow::engine
