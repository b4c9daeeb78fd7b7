#include "binder.hpp"

#include <algorithm>
#include <cctype>
#include <stdexcept>

#include "spelling.hpp"

namespace flow {
namespace binding {
namespace {

const face& innermost(const face& type) {
  return type.is == form::optional ? *type.element : type;
}

template <class Setting, class Settings>
void collect_leaves(Settings& of, std::vector<Setting*>& into) {
  for (auto& each : of) {
    if (is_section(*each.type)) {
      collect_leaves(each.children, into);
    } else {
      into.push_back(&each);
    }
  }
}

std::string upper(std::string_view name) {
  std::string text;
  for (const char c : name)
    text += std::isalnum(static_cast<unsigned char>(c)) ? static_cast<char>(std::toupper(static_cast<unsigned char>(c)))
                                                        : '_';
  return text;
}

class writer {
 public:
  explicit writer(const std::vector<std::string>& secrets) : secrets_(secrets) {}

  std::string write(const void* value, const face& type, const std::string& path) const {
    if (std::find(secrets_.begin(), secrets_.end(), path) != secrets_.end()) return "***";
    if (type.is == form::scalar) return type.write(value);
    auto* const open = const_cast<void*>(value);  // visiting is one function for reading and writing
    if (type.is == form::section) return write_section(open, type, path);
    std::vector<std::string> items;
    type.each(open, [&](std::string_view key, void* element) {
      items.push_back(write_element(type, items.size(), key, element, path));
    });
    if (type.is == form::optional) return items.empty() ? "none" : items.front();
    return type.is == form::list ? "[" + joined(items) + "]" : "{" + joined(items) + "}";
  }

 private:
  static std::string joined(const std::vector<std::string>& items) {
    std::string text;
    for (const auto& item : items) text += (text.empty() ? "" : ", ") + item;
    return text;
  }

  std::string write_element(const face& of, std::size_t index, std::string_view key, const void* element,
                            const std::string& path) const {
    if (of.is == form::optional) return write(element, *of.element, path);
    if (of.is == form::list) return write(element, *of.element, item_path(path, index));
    const std::string name{key};
    return name + ": " + (names_a_secret(key) ? "***" : write(element, *of.element, key_path(path, name)));
  }

  std::string write_section(void* value, const face& type, const std::string& path) const {
    binder inner{path, binder::sections::as_found};
    type.bind(value, inner);
    std::vector<std::string> items;
    for (const auto* each : beside(inner.settings()))
      items.push_back(each->name + ": " + (each->secret ? "***" : write(each->value, *each->type, each->path)));
    return "{" + joined(items) + "}";
  }

  const std::vector<std::string>& secrets_;
};

}  // namespace

std::string item_path(const std::string& list, std::size_t index) {
  return list + "[" + std::to_string(index) + "]";
}

std::string key_path(const std::string& mapping, std::string_view key) {
  return mapping.empty() ? std::string{key} : mapping + "." + std::string{key};
}

std::optional<std::string> path_of(const void* value, const face* type, std::vector<setting>& among) {
  for (auto& each : among) {
    if (is_section(*each.type) && !each.children.empty())
      if (auto inner = path_of(value, type, each.children)) return inner;
    if (auto found = path_in(each.value, *each.type, each.path, value, type)) return found;
  }
  return {};
}

std::optional<std::string> path_in(void* in, const face& is, const std::string& path, const void* value,
                                   const face* type) {
  if (in == value && &is == type) return path;
  std::optional<std::string> found;
  if (is.is == form::section) {
    binder inner{path, binder::sections::as_found};
    is.bind(in, inner);
    return path_of(value, type, inner.settings());
  }
  if (is.each == nullptr) return {};
  std::size_t index = 0;
  is.each(in, [&](std::string_view key, void* element) {
    if (found) return;
    const auto inner = is.is == form::optional  ? path
                       : is.is == form::mapping ? key_path(path, key)
                                                : item_path(path, index);
    ++index;
    found = path_in(element, *is.element, inner, value, type);
  });
  return found;
}

bool is_section(const face& type) noexcept {
  return innermost(type).is == form::section;
}

bool fits_in_a_word(const face& type) noexcept {
  const auto& inner = innermost(type);
  const bool many = inner.is == form::list || inner.is == form::mapping;
  return many ? innermost(*inner.element).is == form::scalar : inner.is == form::scalar;
}

bool is_switch(const face& type) noexcept {
  return innermost(type).is_bool;
}

bool has_flag(const setting& of) noexcept {
  return fits_in_a_word(*of.type);
}

std::string flag_of(const setting& of) {
  if (of.positional) return upper(of.name);
  std::string name = "--" + of.path;
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

std::vector<std::string> variables_of(const setting& of, const std::string& prefix) {
  auto names = of.environment;
  if (!prefix.empty() && of.in_file && fits_in_a_word(*of.type)) names.push_back(prefix + "_" + upper(of.path));
  return names;
}

std::string kind_of(const face& type) {
  const auto& inner = innermost(type);
  switch (inner.is) {
    case form::list:
      return "a list";
    case form::mapping:
    case form::section:
      return "a mapping";
    default:
      return inner.choices != nullptr ? inner.choices() : std::string{inner.kind};
  }
}

std::string example_of(const face& type) {
  const auto& inner = innermost(type);
  switch (inner.is) {
    case form::list:
      return "[" + example_of(*inner.element) + "]";
    case form::mapping:
      return "{name: " + example_of(*inner.element) + "}";
    case form::section:
      return "{...}";
    default:
      return std::string{inner.example};
  }
}

std::string kind_and_example(const face& type) {
  const auto& inner = innermost(type);
  const bool says_it_all = inner.choices != nullptr || inner.is_bool || inner.is == form::section;
  return kind_of(inner) + (says_it_all ? "" : " such as " + example_of(inner));
}

std::string write(const setting& of) {
  return of.secret ? "***" : writer{of.secrets}.write(of.value, *of.type, of.path);
}

bool names_a_secret(std::string_view key) {
  constexpr std::string_view telling[] = {"password", "secret", "jaas", "token", "pem"};
  return std::any_of(std::begin(telling), std::end(telling),
                     [&](std::string_view word) { return key.find(word) != std::string_view::npos; });
}

std::vector<const setting*> leaves(const std::vector<setting>& of) {
  std::vector<const setting*> found;
  collect_leaves(of, found);
  return found;
}

std::vector<setting*> leaves(std::vector<setting>& of) {
  std::vector<setting*> found;
  collect_leaves(of, found);
  return found;
}

std::vector<setting*> beside(std::vector<setting>& of) {
  std::vector<setting*> found;
  for (auto& each : of) {
    if (!each.name.empty()) {
      found.push_back(&each);
    } else {
      for (auto* inner : beside(each.children)) found.push_back(inner);
    }
  }
  return found;
}

}  // namespace binding

binding::setting& binder::add(std::string_view name, void* value, const binding::face* type, std::string_view help) {
  for (const auto* each : binding::beside(settings_))
    if (each->name == name) throw std::logic_error("the setting \"" + each->path + "\" is bound twice");
  binding::setting made;
  made.name = name;
  made.path = name.empty() ? path_ : binding::key_path(path_, name);
  made.help = help;
  made.value = value;
  made.type = type;
  if (binding::is_section(*type)) made.children = open(made);
  settings_.push_back(std::move(made));
  return settings_.back();
}

std::vector<binding::setting> binder::open(binding::setting& section) const {
  binder inner{section.path, optional_};
  if (section.type->is == binding::form::section) {
    section.type->bind(section.value, inner);
    return std::move(inner.settings_);
  }
  void* value = nullptr;
  section.type->each(section.value, [&](std::string_view, void* found) { value = found; });
  if (value == nullptr && optional_ == sections::opened) {
    section.absent = true;
    value = section.type->add(section.value, {});
  }
  if (value != nullptr) section.type->element->bind(value, inner);
  return std::move(inner.settings_);
}

std::vector<effective_setting> effective_settings(const binder& from) {
  std::vector<effective_setting> all;
  for (const auto* each : binding::leaves(from.settings()))
    all.push_back({each->path, binding::write(*each), each->at, each->written});
  return all;
}

}  // namespace flow
