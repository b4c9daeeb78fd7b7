#include "verify.hpp"

#include <algorithm>
#include <cstdint>
#include <ostream>
#include <vector>

#include <flow/spelling.hpp>
#include <flow/verify.hpp>

#include "sync.hpp"

namespace replicator {
namespace {

std::string counted(std::uint64_t count, const std::string& thing) {
  return std::to_string(count) + " " + thing + (count == 1 ? "" : "s");
}

void check(const std::optional<std::string>& on, const settings& s) {
  if (!on || *on == s.home || std::ranges::count(s.targets, *on) > 0) return;
  auto known = s.targets;
  known.push_back(s.home);
  const auto meant = flow::spelling::nearest(*on, known);
  throw flow::configuration_error{
      {{{"--on", 0, 0},
        "nothing is written to " + *on,
        meant.empty() ? "known are " + flow::spelling::either(known) : "did you mean " + meant + "?"}}};
}

std::string text(const flow::content& of) {
  return counted(of.records, "record") + ", digest " + of.digest;
}

// What is no difference, and still worth knowing.
std::string notes(const flow::verified_partition& of) {
  std::string text;
  const auto note = [&](std::uint64_t count, const std::string& what) {
    if (count > 0) text += "; " + std::to_string(count) + " " + what;
  };
  note(of.behind, "not written yet");
  note(of.set_aside, "in dead letters");
  note(of.gone, "removed by its retention");
  note(of.gone_at_home, "not compared, since home does not have them any more");
  return (of.by_key ? "; compacted, so compared by the last of each key" : "") + text;
}

void print(const flow::verified_partition& of, std::ostream& out) {
  out << of.cluster << ": " << to_string(of.where) << ": " << text(of.found) << notes(of) << "\n";
  for (const auto& each : of.stopped)
    out << "  waits: " << to_string(each.where) << " stops at offset " << each.offset << ": " << each.why << "\n";
  if (!of.first) return;
  out << "  differs: " << to_string(*of.first) << "\n";
  if (of.found != of.expected) out << "  expected " << text(of.expected) << "\n";
}

}  // namespace

int verify(const settings& s, const verify_options& which, flow::invocation& terminal) {
  check(which.on, s);
  std::uint64_t partitions = 0, differing = 0, waiting = 0, behind = 0;
  const auto done = flow::verify(sync(s), s.options(),
                                 [&](const flow::verified_partition& each) {
                                   print(each, terminal.out);
                                   ++partitions;
                                   behind += each.behind;
                                   if (each.first) ++differing;
                                   if (!each.stopped.empty()) ++waiting;
                                 },
                                 {.cluster = which.on});
  if (!done) {
    terminal.err << "error: " << to_string(done.error()) << "\n";
    return 1;
  }
  const bool good = differing + waiting == 0;
  terminal.out << (good ? "verified: " : "NOT verified: ") << counted(partitions, "partition");
  if (differing > 0) terminal.out << ", of which " << differing << (differing == 1 ? " differs" : " differ");
  if (waiting > 0) terminal.out << ", of which " << waiting << (waiting == 1 ? " waits" : " wait") << " for what stops";
  if (behind > 0) terminal.out << "; " << counted(behind, "record") << " not written yet";
  terminal.out << "\n";
  return good ? 0 : 3;
}

}  // namespace replicator
