#include <vector>

#include "demand.hpp"
#include "grammar.hpp"
#include "judged.hpp"

// Pointers, expressions, numbers and documents of any bytes: a pointer, an expression and a document with zeros
// between.
namespace {

using namespace flow;

bool is_pointer(std::string_view text) {
  for (std::size_t at = text.find('~'); at != text.npos; at = text.find('~', at + 1))
    if (at + 1 == text.size() || (text[at + 1] != '0' && text[at + 1] != '1')) return false;
  return text.empty() || text.front() == '/';
}

/// 'y', 'n', or 'm' if it is malformed.
char verdict(const rule& what, std::string_view document) {
  try {
    return passes(what, document) ? 'y' : 'n';
  } catch (const json::malformed&) {
    return 'm';
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view document{reinterpret_cast<const char*>(data), size};
  const auto pointer = take(document), expression = take(document);
  const auto there = json::at(std::string{pointer}).exists();
  const auto matches = json::at("/a").matches(std::string{expression});
  demand(there.flaws().empty() == is_pointer(pointer), "flaws of a pointer");
  (void)to_string(there && matches);

  const auto good = grammar::accepts(document);
  demand((verdict(json::at("/nowhere/at/all").exists(), document) != 'm') == good ||
             document.find("nowhere") != document.npos,
         "malformed is what the grammar does not accept");
  std::vector<rule> sound{json::at("/a") == 1, json::at("/a") < "b", json::at("/a/0") != true};
  if (there.flaws().empty()) sound.push_back(there);
  if (matches.flaws().empty()) sound.push_back(matches);
  for (const auto& each : sound) {
    const char yes = verdict(each, document), no = verdict(!each, document);
    demand(yes != 'm' || !good, "what the grammar accepts is decided");
    demand(yes == 'm' ? no == 'm' : yes != no, "a rule or its negation");
    demand(verdict(each && !each, document) != 'y' && verdict(each || !each, document) != 'n',
           "never both, always one");
    demand(verdict(each || sound.front(), document) == verdict(sound.front() || each, document) || !good,
           "in either order");
  }
  return 0;
}
