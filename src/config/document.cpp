#include "document.hpp"

#include <algorithm>
#include <map>
#include <sstream>

#include <yaml-cpp/depthguard.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include "expand.hpp"
#include "spelling.hpp"

namespace flow::config {
namespace {

constexpr std::size_t largest_file = 4 << 20;
constexpr std::size_t most_values = 100'000;

bool continues_character(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}

// The text of a file by lines, to speak of places as an editor shows them.
class text_map {
 public:
  text_map(const std::string& file, const std::string& text) : file_(file), text_(text) {
    starts_.push_back(0);
    for (std::size_t i = 0; i < text.size(); ++i)
      if (text[i] == '\n') starts_.push_back(i + 1);
  }

  /// From a line and a column in bytes, both from 0.
  place at(int line, int column) const {
    const auto row = line_of(line);
    const auto end = std::min<std::size_t>(row.size(), static_cast<std::size_t>(std::max(column, 0)));
    const auto inner = std::count_if(row.begin(), row.begin() + static_cast<std::ptrdiff_t>(end), continues_character);
    return {file_, line + 1, column - static_cast<int>(inner) + 1};
  }

  place at_offset(std::size_t offset) const {
    const auto next = std::upper_bound(starts_.begin(), starts_.end(), offset);
    const auto line = next - starts_.begin() - 1;
    return at(static_cast<int>(line), static_cast<int>(offset - starts_[static_cast<std::size_t>(line)]));
  }

  /// Of an item of a list that is nothing but its dash: the parser is at what comes behind it.
  place dash_before(int line, int column) const {
    const bool is_behind = line_of(line).substr(0, static_cast<std::size_t>(column)).find_first_not_of(" \t") == none;
    for (int row = line - 1; is_behind && row >= 0; --row) {
      const auto text = line_of(row).substr(0, line_of(row).find('#'));
      const auto last = text.find_last_not_of(" \t\r");
      if (last == none) continue;
      if (text[last] != '-') break;
      return at(row, static_cast<int>(last));
    }
    return at(line, column);
  }

  std::size_t offset(int line, int column) const {
    if (line < 0 || static_cast<std::size_t>(line) >= starts_.size()) return text_.size();
    return std::min(text_.size(), starts_[static_cast<std::size_t>(line)] + static_cast<std::size_t>(column));
  }

  std::string_view line_of(int line) const {
    if (line < 0 || static_cast<std::size_t>(line) >= starts_.size()) return {};
    const auto begin = starts_[static_cast<std::size_t>(line)];
    return std::string_view{text_}.substr(begin, text_.find('\n', begin) - begin);
  }

  const std::string& text() const { return text_; }

 private:
  static constexpr auto none = std::string_view::npos;

  const std::string& file_;
  const std::string& text_;
  std::vector<std::size_t> starts_;
};

// Length of the UTF-8 character at `at`, 0 if there is none.
std::size_t character_length(std::string_view text, std::size_t at) {
  const auto first = static_cast<unsigned char>(text[at]);
  const std::size_t length = first < 0x80                    ? 1
                             : first >= 0xF0 && first < 0xF5 ? 4
                             : first >= 0xE0 && first < 0xF0 ? 3
                             : first >= 0xC2 && first < 0xE0 ? 2
                                                             : 0;
  if (length == 0 || at + length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if (!continues_character(text[at + i])) return 0;
  return length;
}

// yaml-cpp ends a file in silence at some of these.
std::optional<problem> bad_character(const text_map& map) {
  const std::string_view text = map.text();
  for (std::size_t i = 0; i < text.size();) {
    const auto length = character_length(text, i);
    if (length == 0) return problem{map.at_offset(i), "this is not UTF-8", "save the file as UTF-8"};
    const auto c = static_cast<unsigned char>(text[i]);
    if ((c < ' ' && c != '\n' && c != '\r' && c != '\t') || c == 127)
      return problem{map.at_offset(i), "a control character is not allowed here", "remove it"};
    i += length;
  }
  return {};
}

// Builds the tree from the parser's events, which is where marks are exact and aliases still visible.
class builder : public YAML::EventHandler {
 public:
  builder(const text_map& map, const environment& variables) : map_(map), variables_(variables) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    // What can begin nothing is never consumed by yaml-cpp: it finds empty documents in front of it, for ever.
    if (documents_ > 0 && mark.pos == document_.pos) throw YAML::ParserException{mark, "unknown token"};
    document_ = mark;
    if (++documents_ > 1) complain(mark, "a second document begins here", "keep one document in a file");
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    node made = begin(node::form::empty, mark);
    const bool in_list = !open_.empty() && open_.back().made.is == node::form::list;
    if (in_list) made.at = map_.dash_before(mark.line, mark.column);
    finish(std::move(made), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) {
      complain(mark, "an alias inside the value that it stands for", "write the value out");
      return put(begin(node::form::empty, mark));
    }
    values_ += found->second.second;
    put(values_ > most_values ? begin(node::form::empty, mark) : found->second.first);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    last_ = mark;
    node made = begin(node::form::scalar, mark);
    refuse_tag(mark, tag);
    made.plain = tag != "!";
    auto replaced = expand(value, variables_);
    for (auto& each : replaced.complaints) complain(mark, std::move(each.text), std::move(each.remedy));
    made.written = value;
    made.text = std::move(replaced.text);
    made.expanded = replaced.expanded;
    made.broken = !replaced.complaints.empty();
    made.secret = replaced.secret;
    finish(std::move(made), anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(node::form::list, mark, tag, anchor);
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(node::form::mapping, mark, tag, anchor);
  }
  void OnMapEnd() override { close(); }

  /// Where the innermost list or mapping began that is still open.
  std::optional<place> innermost() const {
    if (open_.empty()) return {};
    return open_.back().made.at;
  }
  YAML::Mark last() const { return last_; }

  /// The settings that were complete before a mistake. One that the mistake touches may be what it made of it.
  document take_beginning() {
    if (!result_.root && !open_.empty()) {
      result_.root = std::move(open_.front().made);
      if (!open_.front().key && !result_.root->entries.empty()) result_.root->entries.pop_back();
    }
    if (result_.root && result_.root->is != node::form::mapping) result_.root.reset();
    result_.complete = false;
    return take();
  }

  document take() {
    if (values_ > most_values && result_.root)
      result_.problems.push_back({result_.root->at, "aliases make more than 100000 values of this", "write fewer"});
    return std::move(result_);
  }

 private:
  struct partial {
    node made;
    YAML::anchor_t anchor;
    std::optional<node> key;
    std::size_t values_before;
  };

  node begin(node::form is, const YAML::Mark& mark) {
    ++values_;
    node made;
    made.is = is;
    made.at = map_.at(mark.line, mark.column);
    return made;
  }

  void open(node::form is, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    last_ = mark;
    refuse_tag(mark, tag);
    const auto before = values_;
    open_.push_back({begin(is, mark), anchor, {}, before});
  }

  void close() {
    partial done = std::move(open_.back());
    open_.pop_back();
    if (done.anchor != 0) anchors_[done.anchor] = {done.made, values_ - done.values_before};
    put(std::move(done.made));
  }

  void finish(node made, YAML::anchor_t anchor) {
    if (anchor != 0) anchors_[anchor] = {made, 1};
    put(std::move(made));
  }

  void put(node made) {
    if (open_.empty()) {
      if (!result_.root) result_.root = std::move(made);
      return;
    }
    partial& in = open_.back();
    if (in.made.is == node::form::list) {
      in.made.items.push_back(std::move(made));
    } else if (!in.key) {
      in.key = std::move(made);
    } else {
      // A value that is not there would stand where the next key does.
      made.blank = made.is == node::form::empty && made.at.line != in.key->at.line;
      if (made.blank) made.at = in.key->at;
      in.made.entries.emplace_back(std::move(*in.key), std::move(made));
      in.key.reset();
    }
  }

  void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    if (tag.empty() || tag == "?" || tag == "!" || tag.starts_with("tag:yaml.org,2002:")) return;
    complain(mark, "the tag " + in_quotes(tag) + " means nothing here", "remove it");
  }

  void complain(const YAML::Mark& mark, std::string text, std::string remedy) {
    result_.problems.push_back({map_.at(mark.line, mark.column), std::move(text), std::move(remedy)});
  }

  const text_map& map_;
  const environment& variables_;
  document result_;
  std::vector<partial> open_;
  std::map<YAML::anchor_t, std::pair<node, std::size_t>> anchors_;
  std::size_t values_ = 0;
  int documents_ = 0;
  YAML::Mark document_;  // where the last one begins
  YAML::Mark last_;
};

std::optional<std::size_t> closing_quote(std::string_view text, std::size_t open) {
  const char quote = text[open];
  for (auto at = open + 1; at < text.size(); ++at) {
    const bool doubled = quote == '\'' && text.substr(at, 2) == "''";
    if (doubled || (quote == '"' && text[at] == '\\')) {
      ++at;
    } else if (text[at] == quote) {
      return at;
    }
  }
  return {};
}

// The first quote at or after `from` that opens a text which nothing closes.
std::optional<std::size_t> unclosed_quote(std::string_view text, std::size_t from) {
  for (std::size_t i = from; i < text.size(); ++i) {
    const bool fresh = i == 0 || std::string_view{" \t\n[{,"}.find(text[i - 1]) != std::string_view::npos;
    if (!fresh) continue;
    if (text[i] == '#') {
      i = std::min(text.find('\n', i), text.size());
    } else if (text[i] == '"' || text[i] == '\'') {
      const auto end = closing_quote(text, i);
      if (!end) return i;
      i = *end;
    }
  }
  return {};
}

// yaml-cpp's words for what is wrong, in ours, and where a person would look for it.
problem syntax_problem(const YAML::Exception& error, const text_map& map, const builder& built) {
  const std::string& said = error.msg;
  const place at = map.at(error.mark.line, error.mark.column);
  const auto row = map.line_of(error.mark.line);
  const auto tab = row.substr(0, row.find_first_not_of(" \t")).find('\t');
  if (tab != std::string_view::npos)
    return {map.at(error.mark.line, static_cast<int>(tab)), "a tab in the indentation", "indent with spaces"};
  if (said == "illegal document indicator in scalar" || said == "illegal EOF in scalar") {
    const auto quote = unclosed_quote(map.text(), map.offset(built.last().line, built.last().column));
    return {quote ? map.at_offset(*quote) : at, "this quote is never closed", "close it"};
  }
  if (dynamic_cast<const YAML::DeepRecursion*>(&error) != nullptr)
    return {built.innermost().value_or(at), "lists and mappings are nested too deeply", "write it flatter"};
  if (said.starts_with("unknown escape character"))
    return {map.at(error.mark.line, error.mark.column - 2), "no such escape in double quotes",
            "write \\\\ for a backslash, or use single quotes"};
  // Without quotes the brace of a reference begins a mapping there.
  const auto before = row.substr(0, static_cast<std::size_t>(std::max(error.mark.column, 0)) + 1);
  if (said.ends_with("flow not found") && before.ends_with("${"))
    return {map.at(built.last().line, built.last().column), "${...} needs quotes within { } and [ ]",
            "put the whole text in quotes, as in \"${NAME}\""};
  if (said == "end of sequence flow not found")
    return {built.innermost().value_or(at), "this [ is never closed", "add ]"};
  if (said == "end of map flow not found") return {built.innermost().value_or(at), "this { is never closed", "add }"};
  if (said == "illegal map value")
    return {at, "a value is not allowed here", "check the indentation, or quote a text that holds a colon"};
  if (said == "illegal block entry")
    return {at, "a list item is not allowed here", "begin the list on a line of its own"};
  if (said == "illegal flow end") return {at, "this bracket was never opened", "remove it, or put the text in quotes"};
  if (said == "unknown token") return {at, "a text cannot begin like this", "put it in quotes"};
  return {at, "this is not YAML: " + said, "check the syntax"};
}

void parse(const text_map& map, builder& into) {
  // A document end of our own makes yaml-cpp refuse a quote that is never closed; at a bare end it closes it itself.
  std::istringstream in(map.text() + "\n...\n");
  YAML::Parser parser(in);
  while (parser.HandleNextDocument(into)) {
  }
}

}  // namespace

document read_document(const std::string& file, const environment& variables) {
  const place top{file, 1, 1};
  std::string text;
  if (auto wrong = read_whole_file(file, largest_file, text))
    return {{}, false, {{top, "the file " + wrong.text, wrong.remedy}}};
  constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
  if (text.starts_with(byte_order_mark)) text.erase(0, byte_order_mark.size());
  const text_map map(file, text);
  if (auto wrong = bad_character(map)) return {{}, false, {*wrong}};
  builder built(map, variables);
  try {
    parse(map, built);
  } catch (const YAML::Exception& error) {
    auto wrong = syntax_problem(error, map, built);
    document broken = built.take_beginning();
    broken.problems.push_back(std::move(wrong));
    return broken;
  }
  document read = built.take();
  read.complete = read.root && read.root->is == node::form::mapping;
  if (read.complete) return read;
  if (!read.root || read.root->is == node::form::empty) {
    read.problems.push_back({top, "the file is empty", "write \"name: value\", a line for each setting"});
  } else {
    const bool no_space = read.root->is == node::form::scalar && read.root->text.find(':') != std::string::npos;
    read.problems.push_back({read.root->at, "settings are a mapping of names to values",
                             no_space ? "put a space after the colon" : "write \"name: value\""});
  }
  read.root.reset();
  return read;
}

}  // namespace flow::config
