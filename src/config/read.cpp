#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>

#include <flow/settings.hpp>

#include "binder.hpp"
#include "document.hpp"
#include "findings.hpp"
#include "spelling.hpp"

namespace flow {
namespace {

using binding::face;
using binding::form;
using binding::setting;
using config::document;
using config::either;
using config::findings;
using config::in_quotes;
using config::items_of;
using config::nearest;
using config::node;
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

class reader {
 public:
  explicit reader(const setting_sources& from)
      : from_(from),
        variables_(from.variables ? from.variables : [](const char* name) { return std::getenv(name); }),
        found_(from.file) {}

  std::vector<problem> read(std::vector<setting>& settings) {
    document in_file;
    if (!from_.file.empty()) {
      in_file = config::read_document(from_.file, variables_);
      for (auto& each : in_file.problems) found_.tell(std::move(each));
    }
    read_section(settings, in_file.root ? &*in_file.root : nullptr, {}, source::all);
    // What a broken file would have said is not known, so nothing is missing and no rule across settings is broken.
    if (in_file.complete) finish(settings, {}, source::all);
    remember_places(settings);
    return found_.take();
  }

 private:
  enum class source { all, file };

  void read_section(std::vector<setting>& settings, const node* mapping, const std::string& path, source from) {
    const auto known = binding::beside(settings);
    std::map<const setting*, const node*> written;
    std::vector<const node*> unknown;
    if (mapping != nullptr) {
      found_.remember(path, mapping->at);
      each_key(*mapping, path, [&](const node& key, const node& value) {
        const auto* named = find(known, key.text);
        if (named != nullptr && (named->in_file || binding::is_section(*named->type))) {
          written[named] = &value;
        } else {
          unknown.push_back(&key);
        }
      });
    }
    for (auto* each : known) {
      const auto value = written.find(each);
      read_setting(*each, value == written.end() ? nullptr : value->second, from);
      if (const auto* at = found_.place_of(each->path); at != nullptr) found_.remember_part(path, *at);
    }
    for (const auto* key : unknown) unknown_key(*key, path, known);
  }

  static const setting* find(const std::vector<setting*>& among, const std::string& name) {
    const auto found = std::ranges::find(among, name, &setting::name);
    return found == among.end() ? nullptr : *found;
  }

  // Calls `visit` for each key once; reports keys that are no text or stand there again.
  template <class Visit>
  void each_key(const node& mapping, const std::string& path, Visit visit) {
    std::map<std::string, int> lines;
    for (const auto& [key, value] : mapping.entries) {
      if (key.is != node::form::scalar) {
        found_.tell(key.at, "a name has to be a text", "write \"name: value\"");
        continue;
      }
      if (key.plain && key.text == "<<") {
        found_.fail(path, key.at, "merge keys are not supported", "write out what they would add");
        continue;
      }
      if (key.secret) {
        found_.tell(key.at, show(key) + " is a secret, and a name is not", "write the name out");
        continue;
      }
      const auto [first, fresh] = lines.try_emplace(key.text, key.at.line);
      if (fresh) {
        visit(key, value);
      } else {
        found_.tell(key.at, show(key) + " is already given in line " + std::to_string(first->second),
                    "remove one of them");
      }
    }
  }

  void unknown_key(const node& key, const std::string& path, const std::vector<setting*>& known) {
    found_.doubt(path);
    const auto* meant = find(known, key.text);
    if (meant != nullptr) {
      found_.tell(key.at, show(key) + " cannot stand in a file", "give it as " + binding::flag_of(*meant));
    } else {
      std::vector<std::string> names;
      for (const auto* each : known)
        if (each->in_file) names.push_back(each->name);
      const auto name = nearest(key.text, names);
      found_.tell(key.at, show(key) + " is not a setting" + (path.empty() ? "" : " of " + path),
                  name.empty() ? "known here: " + either(names) : "did you mean " + name + "?");
      meant = find(known, name);
    }
    // It is there, and only not known: nothing more is said of it.
    if (meant != nullptr && found_.place_of(meant->path) == nullptr) found_.fail(meant->path);
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
        found_.fail(s.path, value->at, s.path + " has nothing in it",
                    "give its settings, or write \"" + s.name + ": none\"");
      } else if (none && (optional || value->is == node::form::empty)) {
        found_.remember(s.path, value->at);
      } else {
        wrong_form(s.path, *value, *s.type);
      }
    }
    read_section(s.children, mapping, s.path, from);
    // An optional section that is `none` in the file comes back if a variable or a flag gives one of its settings.
    const auto is_given = [&](const setting* each) { return found_.place_of(each->path) != nullptr; };
    if (const auto inner = binding::leaves(s.children); optional && none && std::ranges::none_of(inner, is_given)) {
      s.type->clear(s.value);
      s.children.clear();
    }
  }

  void read_setting(setting& s, const node* value, source from) {
    if (binding::is_section(*s.type)) return read_nested(s, value, from);
    if (value != nullptr) read_node(s, s.value, *s.type, *value, s.path);
    if (from == source::all && binding::fits_in_a_word(*s.type)) read_variables_and_flags(s);
    if (found_.place_of(s.path) == nullptr) return;
    auto found = problems_of([&](const void* at, const face* of) {
      return binding::path_in(s.value, *s.type, s.path, at, of).value_or(s.path);
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
    found_.remember(path, value.at);
    if (value.secret) s.secrets.push_back(path);
    if (value.broken) {
      found_.fail(path);
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
      return read_items(s, into, type, items_of(value.text, s.separator), {value.at, path, {}, {}, value.secret});
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
    each_key(value, path, [&](const node& key, const node& element) {
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
    found_.remember(given.path, given.at);
    const bool secret = given.secret || s.secret;
    if (secret && !given.text.empty()) found_.hide(std::string{given.text});
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
    found_.remember(s.path, at);
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
      if (words.size() > 1)
        return found_.fail(s.path, at, "given " + std::to_string(words.size()) + " times", "give it once");
      return read_scalar(s, into, *type, given);
    }
    std::vector<std::string> items;
    for (const auto& word : words)
      for (auto& item : items_of(word, s.separator)) items.push_back(std::move(item));
    read_items(s, into, *type, items, given);
  }

  // Lists as "a,b", mappings as "a=1,b=2".
  void read_items(setting& s, void* into, const face& type, const std::vector<std::string>& items,
                  const incoming& all) {
    type.clear(into);
    std::size_t count = 0;
    for (const std::string_view text : items) {
      if (text.empty()) {
        found_.tell(all.at, all.path + " has an empty item", "remove a " + in_quotes(std::string{s.separator}));
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
        const bool is_given = found_.place_of(each.path) != nullptr || found_.has_failed(each.path);
        if (each.required && !is_given) missing(each, path, from);
        continue;
      }
      const bool written = found_.place_of(each.path) != nullptr;
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
      return at == value && of == &type ? path : binding::path_of(at, of, settings).value_or(path);
    });
    type.check(value, found);
  }

  template <class PathOf>
  problems problems_of(PathOf path_of) {
    return problems{
        [=, this](const void* at, const face* of, const problem& what) { found_.report(path_of(at, of), what); },
        [=, this](const void* at, const face* of) { return !found_.is_in_doubt(path_of(at, of)); }};
  }

  void missing(const setting& s, const std::string& section, source from) {
    std::vector<std::string> ways;
    const bool in_file = !from_.file.empty() && s.in_file;
    const bool has_flag = binding::has_flag(s) && from == source::all;
    const place at = in_file ? found_.fallback(section) : place{has_flag ? binding::flag_of(s) : std::string{}, 0, 0};
    if (in_file) ways.push_back("add \"" + s.name + ": ...\"");
    if (s.in_file && !in_file) ways.push_back("write it in a file for --config");
    if (has_flag) ways.push_back((s.positional ? "name it as " : "give ") + binding::flag_of(s));
    if (from == source::all)
      for (const auto& variable : binding::variables_of(s, from_.prefix)) ways.push_back("set " + variable);
    found_.fail(s.path, at, s.path + " is missing", either(ways));
  }

  void remember_places(std::vector<setting>& settings) {
    for (auto* each : binding::leaves(settings))
      if (const auto* at = found_.place_of(each->path)) each->at = *at;
  }

  static node::form expected(const face& type) {
    if (type.is == form::scalar) return node::form::scalar;
    return type.is == form::list ? node::form::list : node::form::mapping;
  }

  void wrong_form(const std::string& path, const node& value, const face& type) {
    if (value.is == node::form::empty)
      return found_.fail(path, value.at, path + " has no value",
                         "write " + binding::kind_and_example(type) + ", or remove it");
    auto remedy = "write " + binding::kind_and_example(type);
    const bool one_item = expected(type) == node::form::list && value.is == node::form::scalar && !value.secret;
    if (one_item) remedy = "write [" + value.text + "]";
    found_.fail(path, value.at, path + " has to be " + binding::kind_of(type) + ", not " + name_of(value.is),
                std::move(remedy));
  }

  // Of a secret nothing is said but what it should have been: the words of a complaint may quote it.
  void refuse(const setting& s, const incoming& given, complaint why, const std::string& allowed) {
    if (!given.secret && !s.secret)
      return found_.fail(given.path, given.at, given.shown + " " + why.text, std::move(why.remedy));
    const bool as_written = given.secret && !s.secret && given.at.line > 0;
    found_.fail(given.path, given.at, (as_written ? given.shown : "the value") + " is not accepted",
                allowed.empty() ? "" : "it has to be " + allowed);
  }

  const setting_sources& from_;
  environment variables_;
  findings found_;
};

}  // namespace

std::vector<problem> read_settings(binder& into, const setting_sources& from) {
  return reader{from}.read(into.settings());
}

}  // namespace flow
