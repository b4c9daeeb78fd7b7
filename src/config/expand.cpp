#include "expand.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <system_error>

#include <sys/stat.h>

#include "spelling.hpp"

namespace flow::config {
namespace {

constexpr std::size_t longest_secret = 64 << 10;
constexpr int deepest_default = 16;

bool is_variable_name(std::string_view name) {
  constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
  constexpr std::string_view characters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
  return !name.empty() && letters.find(name[0]) != std::string_view::npos &&
         name.find_first_not_of(characters) == std::string_view::npos;
}

// The position of the brace that closes the one before `text`.
std::size_t closing_brace(std::string_view text) {
  int open = 1;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '{') ++open;
    if (text[i] == '}' && --open == 0) return i;
  }
  return std::string_view::npos;
}

class expander {
 public:
  explicit expander(const environment& variables) : variables_(variables) {}

  void run(std::string_view text, int depth) {
    while (!text.empty()) {
      const auto dollar = text.find('$');
      out.text += text.substr(0, dollar);
      if (dollar == std::string_view::npos) return;
      text.remove_prefix(dollar);
      if (text.starts_with("$${")) {
        out.text += "${";
        text.remove_prefix(3);
      } else if (text.starts_with("${")) {
        const auto end = closing_brace(text.substr(2));
        if (end == std::string_view::npos) return complain("${ is not closed", "add }, or write $${ for ${ itself");
        replace(text.substr(2, end), depth);
        text.remove_prefix(end + 3);
      } else {
        out.text += '$';
        text.remove_prefix(1);
      }
    }
  }

  expansion out;

 private:
  void replace(std::string_view inner, int depth) {
    out.expanded = true;
    constexpr std::string_view file = "file:";
    if (inner.starts_with(file)) return insert_file(std::string{trimmed(inner.substr(file.size()))});
    const auto dash = inner.find(":-");
    const std::string name{inner.substr(0, dash)};
    if (!is_variable_name(name))
      return complain(in_quotes("${" + std::string{inner} + "}") + " names no variable",
                      "write ${NAME}, ${NAME:-default} or ${file:/path}, or $${ for ${ itself");
    const char* value = variables_(name.c_str());
    const bool has_default = dash != std::string_view::npos;
    // As in a shell, `:-` takes an empty variable for one that is not set.
    if (value != nullptr && !(has_default && *value == '\0')) {
      out.text += value;
    } else if (!has_default) {
      complain("${" + name + "} is not set", "set the variable, or write ${" + name + ":-default}");
    } else if (depth >= deepest_default) {
      complain("${" + name + "} has too many defaults inside each other", "write fewer");
    } else {
      run(inner.substr(dash + 2), depth + 1);
    }
  }

  void insert_file(const std::string& name) {
    out.secret = true;
    std::string content;
    if (auto wrong = read_whole_file(name, longest_secret, content))
      return complain(in_quotes(name) + " " + wrong.text, wrong.remedy);
    if (content.ends_with('\n')) content.pop_back();
    if (content.ends_with('\r')) content.pop_back();
    out.text += content;
  }

  void complain(std::string text, std::string remedy) {
    out.complaints.emplace_back(std::move(text), std::move(remedy));
  }

  const environment& variables_;
};

}  // namespace

expansion expand(std::string_view text, const environment& variables) {
  expander all{variables};
  all.run(text, 0);
  return std::move(all.out);
}

complaint read_whole_file(const std::string& name, std::size_t limit, std::string& out) {
  struct stat about {};
  if (::stat(name.c_str(), &about) == 0 && S_ISDIR(about.st_mode)) return {"is a directory", "name a file in it"};
  errno = 0;
  std::ifstream in(name, std::ios::binary);
  if (!in) {
    if (errno == ENOENT) return {"does not exist", "check the path"};
    if (errno == EACCES) return {"may not be read", "check its owner and mode"};
    return {"cannot be opened: " + std::generic_category().message(errno), "check the path"};
  }
  out.resize(limit + 1);
  in.read(out.data(), static_cast<std::streamsize>(out.size()));
  if (in.bad()) return {"cannot be read", "check the disk"};
  out.resize(static_cast<std::size_t>(in.gcount()));
  if (out.size() > limit) return {"is larger than " + scalar<byte_size>::write({limit}), "name another file"};
  return {};
}

}  // namespace flow::config
