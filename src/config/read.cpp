#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include <flow/settings.hpp>

#include "binder.hpp"
#include "document.hpp"
#include "spelling.hpp"

namespace flow {
namespace {

using binding::face;
using binding::form;
using binding::setting;
using config::document;
using config::either;
using config::in_quotes;
using config::nearest;
using config::node;
using config::split_at;
using config::trimmed;

// One value on its way into a setting.
struct incoming {
  place at;
  std::string path;
  std::string_view text;
  std::string shown;  // how a problem speaks of it
  bool secret = false;
  bool quoted = false;
};

std::string name_of(node::form is) {
  switch (is) {
    case node::form::empty:
      return "empty";
    case node::form::scalar:
      return "a text";
    case node::form::list:
      return "a list";
    case node::form::mapping:
      return "a mapping";
  }
  return "something else";
}

bool is_none(const node& value) {
  return value.is == node::form::empty || (value.is == node::form::scalar && value.plain && value.text == "none");
}

std::string show(const node& value) {
  return in_quotes(value.secret ? value.written : value.text);
}

// So that a secret within another leaves nothing of either.
struct longest_first {
  bool operator()(const std::string& a, const std::string& b) const {
    return a.size() != b.size() ? a.size() > b.size() : a < b;
  }
};

class reader {
 public:
  explicit reader(const setting_sources& from)
      : from_(from), variables_(from.variables ? from.variables : [](const char* name) { return std::getenv(name); }) {}

  std::vector<problem> read(std::vector<setting>& settings) {
    document in_file;
    if (!from_.file.empty()) {
      in_file = config::read_document(from_.file, variables_);
      problems_ = std::move(in_file.problems);
    }
    read_section(settings, in_file.root ? &*in_file.root : nullptr, {}, source::all);
    // What a broken file would have said is not known, so nothing is missing and no rule across settings is broken.
    if (in_file.complete) finish(settings, {}, source::all);
    remember_places(settings);
    sort();
    return std::move(problems_);
  }

 private:
  enum class source { all, file };

  void read_section(std::vector<setting>& settings, const node* mapping, const std::string& path, source from) {
    const auto known = binding::beside(settings);
    std::map<const setting*, const node*> written;
    std::vector<std::string> meant;
    if (mapping != nullptr) {
      places_[path] = mapping->at;
      each_key(*mapping, [&](const node& key, const node& value) {
        const auto found =
            std::find_if(known.begin(), known.end(), [&](const setting* s) { return s->name == key.text; });
        if (found != known.end() && ((*found)->in_file || binding::is_section(*(*found)->type))) {
          written[*found] = &value;
        } else {
          if (const auto* one = unknown_key(key, path, known, found != known.end() ? *found : nullptr); one != nullptr)
            meant.push_back(one->path);
          incomplete_.insert(path);
        }
      });
    }
    for (auto* each : known) {
      const auto value = written.find(each);
      read_setting(*each, value == written.end() ? nullptr : value->second, from);
      if (const auto* at = place_of(each->path); at != nullptr) places_.try_emplace(path, *at);
    }
    for (const auto& each : meant)
      if (place_of(each) == nullptr) failed_.insert(each);
  }

  // Calls `visit` for each key once; reports keys that are no text or stand there again.
  template <class Visit>
  void each_key(const node& mapping, Visit visit) {
    std::map<std::string, int> lines;
    for (const auto& [key, value] : mapping.entries) {
      if (key.is != node::form::scalar) {
        tell(key.at, "a name has to be a text", "write \"name: value\"");
        continue;
      }
      if (key.secret) {
        tell(key.at, show(key) + " is a secret, and a name is not", "write the name out");
        continue;
      }
      const auto [first, fresh] = lines.try_emplace(key.text, key.at.line);
      if (fresh) {
        visit(key, value);
      } else {
        tell(key.at, show(key) + " is already given in line " + std::to_string(first->second), "remove one of them");
      }
    }
  }

  // The setting that was meant, if one is known.
  const setting* unknown_key(const node& key, const std::string& path, const std::vector<setting*>& known,
                             const setting* hidden) {
    if (hidden != nullptr) {
      tell(key.at, show(key) + " cannot stand in a file", "give it as " + binding::flag_of(*hidden));
      return hidden;
    }
    std::vector<std::string> names;
    for (const auto* each : known)
      if (each->in_file) names.push_back(each->name);
    const auto meant = nearest(key.text, names);
    tell(key.at, show(key) + " is not a setting" + (path.empty() ? "" : " of " + path),
         meant.empty() ? "known here: " + either(names) : "did you mean " + meant + "?");
    const auto found = std::find_if(known.begin(), known.end(), [&](const setting* s) { return s->name == meant; });
    return found == known.end() ? nullptr : *found;
  }

  void read_nested(setting& s, const node* value, source from) {
    const bool optional = s.type->is == form::optional;
    const node* mapping = value;
    bool none = false;
    if (value != nullptr && value->is != node::form::mapping) {
      mapping = nullptr;
      none = is_none(*value);
      if (optional && value->blank) {
        // What is left of a section whose settings were commented out is not the wish to do without it.
        fail(s.path, value->at, s.path + " has nothing in it",
             "give its settings, or write \"" + s.name + ": none\"");
      } else if (none && (optional || value->is == node::form::empty)) {
        places_[s.path] = value->at;
      } else {
        wrong_form(s.path, *value, *s.type);
      }
    }
    // An optional section that is `none` in the file comes back if a variable or a flag gives one of its settings.
    const auto places_before = places_.size();
    read_section(s.children, mapping, s.path, from);
    if (optional && none && places_.size() == places_before) {
      s.type->clear(s.value);
      s.children.clear();
    }
  }

  void read_setting(setting& s, const node* value, source from) {
    if (binding::is_section(*s.type)) return read_nested(s, value, from);
    if (value != nullptr) read_node(s, s.value, *s.type, *value, s.path);
    if (from == source::all && binding::fits_in_a_word(*s.type)) read_variables_and_flags(s);
    if (place_of(s.path) == nullptr) return;
    auto found = problems_of([&](const void* at, const face* of) {
      return find_in(s.value, *s.type, s.path, at, of).value_or(s.path);
    });
    for (const auto& each : s.rules) each(s.value, found);
  }

  void read_variables_and_flags(setting& s) {
    for (const auto& name : binding::variables_of(s, from_.prefix)) {
      const char* text = variables_(name.c_str());
      if (text == nullptr || *text == '\0') continue;
      read_words(s, {text}, {"environment " + name, 0, 0});
      break;
    }
    for (const auto& flag : from_.flags)
      if (flag.path == s.path) read_words(s, flag.values, {binding::flag_of(s), 0, 0});
  }

  void read_node(setting& s, void* into, const face& type, const node& value, const std::string& path) {
    places_[path] = value.at;
    if (value.secret) s.secrets.push_back(path);
    if (value.broken) {
      failed_.insert(path);
      return;
    }
    if (type.is == form::optional) {
      // As with sections, a list of which all was commented out is not the wish to do without it.
      if (value.blank && type.element->is != form::scalar) return wrong_form(path, value, type);
      if (is_none(value)) return type.clear(into);
      return read_node(s, type.add(into, {}), *type.element, value, path);
    }
    if (type.is == form::list && value.is == node::form::scalar && value.expanded) {
      // A variable holds a list as one word: targets: ${TARGETS}
      return read_items(s, into, type, split_at(value.text, s.separator), {value.at, path, {}, {}, value.secret});
    }
    if (value.is != expected(type)) return wrong_form(path, value, type);
    switch (type.is) {
      case form::scalar:
        return read_scalar(s, into, type, {value.at, path, value.text, show(value), value.secret, !value.plain});
      case form::list:
        return read_list(s, into, type, value, path);
      case form::mapping:
        return read_mapping(s, into, type, value, path);
      case form::section:
        return read_element_section(s, into, type, value, path);
      case form::optional:
        break;
    }
  }

  void read_list(setting& s, void* into, const face& type, const node& value, const std::string& path) {
    type.clear(into);
    for (std::size_t i = 0; i < value.items.size(); ++i)
      read_node(s, type.add(into, {}), *type.element, value.items[i], binding::item_path(path, i));
  }

  void read_mapping(setting& s, void* into, const face& type, const node& value, const std::string& path) {
    type.clear(into);
    each_key(value, [&](const node& key, const node& element) {
      read_node(s, type.add(into, key.text), *type.element, element, binding::key_path(path, key.text));
    });
  }

  void read_element_section(setting& s, void* into, const face& type, const node& value, const std::string& path) {
    binder inner{path};
    type.bind(into, inner);
    read_section(inner.settings(), &value, path, source::file);
    finish(inner.settings(), path, source::file);
    run_check(inner.settings(), into, type, path);
    for (const auto* each : binding::leaves(inner.settings())) {
      s.written.insert(s.written.end(), each->written.begin(), each->written.end());
      s.secrets.insert(s.secrets.end(), each->secrets.begin(), each->secrets.end());
    }
  }

  void read_scalar(setting& s, void* into, const face& type, const incoming& given) {
    places_[given.path] = given.at;
    const bool secret = given.secret || s.secret;
    if (secret && !given.text.empty()) secrets_.emplace(given.text);
    if (!secret && !binding::names_a_secret(given.path)) s.written.push_back({std::string{given.text}, given.at});
    const auto before = type.write(into);
    const auto take = given.quoted && type.read_quoted != nullptr ? type.read_quoted : type.read;
    auto wrong = take(given.text, into);
    auto allowed = binding::kind_of(type);
    for (auto each = s.tests.begin(); !wrong && each != s.tests.end(); ++each) {
      wrong = (*each)(into);
      allowed = s.limits;
    }
    if (!wrong) return;
    type.read(before, into);
    refuse(s, given, std::move(wrong), allowed);
  }

  void read_words(setting& s, const std::vector<std::string>& words, const place& at) {
    const auto* type = s.type;
    void* into = s.value;
    places_[s.path] = at;
    s.written.clear();
    s.secrets.clear();
    if (words.empty()) return;
    if (type->is == form::optional) {
      if (words.size() == 1 && words[0] == "none") return type->clear(into);
      into = type->add(into, {});
      type = type->element;
    }
    const incoming given{at, s.path, words[0], in_quotes(words[0]), false};
    if (type->is == form::scalar) {
      if (words.size() > 1) return fail(s.path, at, "given " + std::to_string(words.size()) + " times", "give it once");
      return read_scalar(s, into, *type, given);
    }
    std::vector<std::string> items;
    for (const auto& word : words)
      for (auto& item : split_at(word, s.separator)) items.push_back(std::move(item));
    read_items(s, into, *type, items, given);
  }

  // Lists as "a,b", mappings as "a=1,b=2".
  void read_items(setting& s, void* into, const face& type, const std::vector<std::string>& items,
                  const incoming& all) {
    type.clear(into);
    std::size_t count = 0;
    for (const std::string_view text : items) {
      if (text.empty()) {
        tell(all.at, all.path + " has an empty item", "remove a " + in_quotes(std::string{s.separator}));
        continue;
      }
      incoming one{all.at, binding::item_path(all.path, count++), text, in_quotes(text), all.secret};
      std::string_view key;
      if (type.is == form::mapping) {
        const auto equals = text.find('=');
        if (equals == std::string_view::npos) {
          refuse(s, one, {"is not name=value", "write name=value"}, "name=value");
          continue;
        }
        key = trimmed(text.substr(0, equals));
        one.text = trimmed(text.substr(equals + 1));
        one.shown = in_quotes(one.text);
        one.path = binding::key_path(all.path, key);
        one.secret = one.secret || binding::names_a_secret(key);
      }
      read_scalar(s, type.add(into, key), *type.element, one);
    }
  }

  // What is missing, and what breaks a rule across settings, innermost first.
  void finish(std::vector<setting>& settings, const std::string& path, source from) {
    for (auto& each : settings) {
      if (!binding::is_section(*each.type)) {
        if (each.required && place_of(each.path) == nullptr && !has_failed(each.path)) missing(each, path, from);
        continue;
      }
      const bool written = place_of(each.path) != nullptr;
      if (each.absent && !written) {
        each.type->clear(each.value);
        each.children.clear();
      }
      if (each.type->is == form::optional && each.children.empty()) continue;
      finish(each.children, each.path, from);
      with_section(each, [&](void* value, const face& type) { run_check(each.children, value, type, each.path); });
    }
  }

  template <class Call>
  static void with_section(setting& s, Call call) {
    if (s.type->is == form::section) return call(s.value, *s.type);
    s.type->each(s.value, [&](std::string_view, void* value) { call(value, *s.type->element); });
  }

  void run_check(std::vector<setting>& settings, void* value, const face& type, const std::string& path) {
    if (type.check == nullptr) return;
    auto found = problems_of([&](const void* at, const face* of) {
      return at == value && of == &type ? path : find(settings, at, of).value_or(path);
    });
    type.check(value, found);
  }

  template <class PathOf>
  problems problems_of(PathOf path_of) {
    return problems{
        [=, this](const void* at, const face* of, problem what) { report_at(path_of(at, of), std::move(what)); },
        [=, this](const void* at, const face* of) { return !is_in_doubt(path_of(at, of)); }};
  }

  void report_at(const std::string& path, problem what) {
    if (is_in_doubt(path)) return;
    const auto* at = path.empty() ? nullptr : place_of(path);
    std::string text = at == nullptr && !path.empty() ? path + ": " : "";
    tell(at != nullptr ? *at : fallback(path), text + without_secrets(what.text), without_secrets(what.remedy));
  }

  std::string without_secrets(std::string text) const {
    for (const auto& secret : secrets_)
      for (auto at = text.find(secret); at != std::string::npos; at = text.find(secret, at + 3))
        text.replace(at, secret.size(), "***");
    return text;
  }

  void missing(const setting& s, const std::string& section, source from) {
    std::vector<std::string> ways;
    const bool in_file = !from_.file.empty() && s.in_file;
    const bool has_flag = binding::has_flag(s) && from == source::all;
    const place at = in_file ? fallback(section) : place{has_flag ? binding::flag_of(s) : std::string{}, 0, 0};
    if (in_file) ways.push_back("add \"" + s.name + ": ...\"");
    if (s.in_file && !in_file) ways.push_back("write it in a file for --config");
    if (has_flag) ways.push_back((s.positional ? "name it as " : "give ") + binding::flag_of(s));
    if (from == source::all)
      for (const auto& variable : binding::variables_of(s, from_.prefix)) ways.push_back("set " + variable);
    fail(s.path, at, s.path + " is missing", either(ways));
  }

  // Where a value would stand that nobody wrote.
  place fallback(const std::string& path) const {
    for (auto outer = path; !outer.empty(); outer = enclosing(outer))
      if (const auto* at = place_of(outer)) return *at;
    return from_.file.empty() ? place{} : place{from_.file, 1, 1};
  }

  // The path of a value by its address. A struct begins where its first member does, so the type counts too.
  static std::optional<std::string> find(std::vector<setting>& settings, const void* value, const face* type) {
    for (auto& each : settings) {
      if (binding::is_section(*each.type) && !each.children.empty())
        if (auto inner = find(each.children, value, type)) return inner;
      if (auto found = find_in(each.value, *each.type, each.path, value, type)) return found;
    }
    return {};
  }

  static std::optional<std::string> find_in(void* in, const face& type, const std::string& path, const void* value,
                                            const face* wanted) {
    if (in == value && &type == wanted) return path;
    std::optional<std::string> found;
    if (type.is == form::section) {
      binder inner{path, binder::sections::as_found};
      type.bind(in, inner);
      return find(inner.settings(), value, wanted);
    }
    if (type.each == nullptr) return {};
    std::size_t index = 0;
    type.each(in, [&](std::string_view key, void* element) {
      if (found) return;
      const auto inner = type.is == form::optional  ? path
                         : type.is == form::mapping ? binding::key_path(path, key)
                                                    : binding::item_path(path, index);
      ++index;
      found = find_in(element, *type.element, inner, value, wanted);
    });
    return found;
  }

  void remember_places(std::vector<setting>& settings) {
    for (auto* each : binding::leaves(settings))
      if (const auto* at = place_of(each->path)) each->at = *at;
  }

  static node::form expected(const face& type) {
    if (type.is == form::scalar) return node::form::scalar;
    return type.is == form::list ? node::form::list : node::form::mapping;
  }

  void wrong_form(const std::string& path, const node& value, const face& type) {
    if (value.is == node::form::empty)
      return fail(path, value.at, path + " has no value",
                  "write " + binding::kind_and_example(type) + ", or remove it");
    auto remedy = "write " + binding::kind_and_example(type);
    const bool one_item = expected(type) == node::form::list && value.is == node::form::scalar && !value.secret;
    if (one_item) remedy = "write [" + value.text + "]";
    fail(path, value.at, path + " has to be " + binding::kind_of(type) + ", not " + name_of(value.is),
         std::move(remedy));
  }

  // Of a secret nothing is said but what it should have been: the words of a complaint may quote it.
  void refuse(const setting& s, const incoming& given, complaint why, const std::string& allowed) {
    if (!given.secret && !s.secret)
      return fail(given.path, given.at, given.shown + " " + why.text, std::move(why.remedy));
    const bool as_written = given.secret && !s.secret && given.at.line > 0;
    fail(given.path, given.at, (as_written ? given.shown : "the value") + " is not accepted",
         allowed.empty() ? "" : "it has to be " + allowed);
  }

  // The value of `path` is not known.
  void fail(const std::string& path, const place& at, std::string text, std::string remedy) {
    failed_.insert(path);
    tell(at, std::move(text), std::move(remedy));
  }

  void tell(const place& at, std::string text, std::string remedy) {
    problem what{at, std::move(text), std::move(remedy)};
    if (told_.insert(to_string(what)).second) problems_.push_back(std::move(what));
  }

  // Itself, or what it is part of.
  bool has_failed(const std::string& path) const {
    for (auto outer = path; !outer.empty(); outer = enclosing(outer))
      if (failed_.contains(outer)) return true;
    return false;
  }

  // What stands under an unknown name may be what is said to be missing.
  bool is_in_doubt(const std::string& path) const { return incomplete_.contains(path) || has_failed(path); }

  // "routes[2].from", "routes[2]", "routes", and nothing.
  static std::string enclosing(const std::string& path) {
    const auto end = path.find_last_of(".[");
    return end == std::string::npos ? std::string{} : path.substr(0, end);
  }

  const place* place_of(const std::string& path) const {
    const auto found = places_.find(path);
    return found == places_.end() ? nullptr : &found->second;
  }

  void sort() {
    const auto key = [&](const problem& what) {
      const bool in_file = what.at.line > 0;
      return std::tuple{!in_file, what.at.line, what.at.column};
    };
    std::stable_sort(problems_.begin(), problems_.end(),
                     [&](const problem& a, const problem& b) { return key(a) < key(b); });
  }

  const setting_sources& from_;
  environment variables_;
  std::map<std::string, place> places_;
  std::set<std::string> failed_;  // values that were not accepted, or not found where they were misspelt
  std::set<std::string> incomplete_;  // sections with an unknown name in them
  std::set<std::string, longest_first> secrets_;
  std::set<std::string> told_;
  std::vector<problem> problems_;
};

}  // namespace

std::vector<problem> read_settings(binder& into, const setting_sources& from) {
  return reader{from}.read(into.settings());
}

}  // namespace flow
