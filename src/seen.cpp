#include <ostream>
#include <set>

#include <flow/sightings.hpp>

#include "verbs.hpp"

namespace flow::verbs {
namespace {

constexpr id_form forms[] = {id_form::text, id_form::json, id_form::part, id_form::integer, id_form::json_text};

std::string_view in_words(id_form form) {
  return words(form)[static_cast<std::size_t>(form)];
}

std::string span_of(const sightings& what) {
  return what.node + ": " + to_string(what.where) + " from offset " + std::to_string(what.from) + " to " +
         std::to_string(what.until);
}

void print(const sightings& what, id_form form, std::ostream& out) {
  out << span_of(what) << ", as " << in_words(form) << "\n";
  for (const auto& each : what.all) {
    out << "  offset " << each.offset << " of " << time_of(each.timestamp);
    if (each.repeats)
      out << ", repeats offset " << *each.repeats << "\n";
    else if (each == what.all.front())
      out << ", the first that is known\n";
    else
      out << ", no other within the window before it\n";
  }
}

void print_lines(const sightings& what, id_form form, std::ostream& out) {
  for (const auto& each : what.all)
    out << "{\"node\":" << in_json(what.node) << ",\"as\":" << in_json(in_words(form))
        << ",\"topic\":" << in_json(what.where.topic) << ",\"partition\":" << what.where.partition
        << ",\"offset\":" << each.offset << ",\"timestamp\":" << each.timestamp
        << ",\"first\":" << (each == what.all.front() ? "true" : "false")
        << ",\"repeats\":" << (each.repeats ? std::to_string(*each.repeats) : "null") << "}\n";
}

void print_vain(const std::vector<sightings>& looked_at, std::ostream& out) {
  out << "it is not known\n";
  for (const auto& each : looked_at) out << "  " << span_of(each) << "\n";
}

void print_vain_line(const std::vector<sightings>& looked_at, std::ostream& out) {
  out << "{\"known\":false,\"looked_at\":[";
  for (const auto& each : looked_at)
    out << (&each == &looked_at.front() ? "" : ",") << "{\"node\":" << in_json(each.node)
        << ",\"topic\":" << in_json(each.where.topic) << ",\"partition\":" << each.where.partition
        << ",\"from\":" << each.from << ",\"until\":" << each.until << "}";
  out << "]}\n";
}

[[noreturn]] void refuse_id(std::string text, std::string remedy) {
  throw configuration_error{{{{"ID", 0, 0}, std::move(text), std::move(remedy)}}};
}

}  // namespace

int print_sightings(const builder& build, const app_options& options, const seen_options& which, invocation& how) {
  const auto what = checked(how, build);
  std::vector<sightings> last;
  bool is_known = false, is_one = false;
  std::set<std::vector<std::string>> tried;
  for (const auto form : forms) {
    const auto ids = ids_of(which.id, form);
    if (ids.empty() || which.as.value_or(form) != form || !tried.insert(ids).second) continue;
    is_one = true;
    auto found = checked(how, [&] { return sightings_of(ids, what, options, which.node); });
    if (!found) return tell(found.error(), how);
    last = *std::move(found);
    for (const auto& each : last) {
      if (each.all.empty()) continue;
      is_known = true;
      which.format == listing::json ? print_lines(each, form, how.out) : print(each, form, how.out);
    }
  }
  if (!is_one)
    refuse_id(which.id.empty() ? "an empty id is none: what has it gets through" : "is none of that form",
              "give another, or leave --as out");
  if (!is_known) which.format == listing::json ? print_vain_line(last, how.out) : print_vain(last, how.out);
  return code(exit_code::good);
}

}  // namespace flow::verbs
