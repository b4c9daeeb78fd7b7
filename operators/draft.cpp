#include <stdexcept>
#include <utility>

#include <flow/topology.hpp>
#include <flow/wiring.hpp>

#include "frames.hpp"

namespace flow {
namespace wiring {

void draft::check_open() const {
  if (sealed_)
    throw std::logic_error{"flow: the topology '" + application_ + "' has been built; nothing can change now"};
}

std::uint32_t draft::add(facts about, std::span<const port> inputs, std::unique_ptr<const blueprint> how) {
  check_open();
  std::vector<frame> captured = frames_behind(about.words);
  nodes_.push_back({std::move(about), {inputs.begin(), inputs.end()}, std::move(how), std::move(captured)});
  return static_cast<std::uint32_t>(nodes_.size() - 1);
}

void draft::on_failure(std::uint32_t node, policy what) {
  check_open();
  nodes_.at(node).about.on_failure = what;
}

void draft::on_failure(policy what) {
  check_open();
  on_failure_ = what;
}

void draft::report(std::string text, std::string remedy) {
  check_open();
  flaws_.push_back({std::move(text), std::move(remedy)});
}

}  // namespace wiring

topology::topology(std::string application) : draft_{std::make_shared<wiring::draft>(std::move(application))} {}

const std::shared_ptr<wiring::draft>& topology::draft() const {
  if (!draft_) throw std::logic_error{"flow: the topology has been moved away; use the one that it was moved to"};
  return draft_;
}

topology& topology::on_failure(policy what) {
  draft()->on_failure(what);
  return *this;
}

std::uint32_t topology::add(source_spec what, std::unique_ptr<const wiring::blueprint> node,
                            std::vector<std::uintptr_t> words) {
  wiring::facts about;
  about.words = std::move(words);
  about.name = what.name;
  about.verb = "from";
  about.source = std::move(what);
  return draft()->add(std::move(about), {}, std::move(node));
}

}  // namespace flow
