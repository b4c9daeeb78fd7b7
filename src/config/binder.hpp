#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <flow/settings.hpp>

namespace flow::binding {

/// A struct, or an optional one.
bool is_section(const face& type) noexcept;
/// Fits into one word of a command line or a variable.
bool fits_in_a_word(const face& type) noexcept;
/// `true` or `false`: its flag needs no value.
bool is_switch(const face& type) noexcept;
/// Whether it has a `--flag`.
bool has_flag(const setting& of) noexcept;

/// "--topics.rename"; "FILE" for a positional argument
std::string flag_of(const setting& of);
/// Every variable it is read from, the program's prefix included.
std::vector<std::string> variables_of(const setting& of, const std::string& prefix);

/// "targets[1]"
std::string item_path(const std::string& list, std::size_t index);
/// "clusters.tokyo"
std::string key_path(const std::string& mapping, std::string_view key);

/// The path of the value at this address, if it is one of these or a part of one. A struct begins where its first
/// member does, so the type counts too.
std::optional<std::string> path_of(const void* value, const face* type, std::vector<setting>& among);
/// Likewise within the one value `in`, whose path is `path`.
std::optional<std::string> path_in(void* in, const face& is, const std::string& path, const void* value,
                                   const face* type);

/// "a whole number", "a list", "keep or by_key"
std::string kind_of(const face& type);
/// "10", "[orders]"
std::string example_of(const face& type);
/// "a whole number such as 10"
std::string kind_and_example(const face& type);
/// What a setting stands at, as YAML would have it on one line; what is secret in it as "***".
std::string write(const setting& of);
/// Whether the name of a client property says that its value is a secret.
bool names_a_secret(std::string_view key);

/// Every setting that is no section, in order, through all sections.
std::vector<const setting*> leaves(const std::vector<setting>& of);
std::vector<setting*> leaves(std::vector<setting>& of);

/// The settings of one section by name: those of sections without a name stand beside the others.
std::vector<setting*> beside(std::vector<setting>& of);

}  // namespace flow::binding
