#include <flow/describe.hpp>

#include <algorithm>
#include <cstdio>
#include <string_view>

#include <flow/topology.hpp>

namespace flow {
namespace {

std::string padded(std::string text, std::size_t width) {
  text.resize(std::max(width, text.size()), ' ');
  return text;
}

/// Calls `each(target, label)` for every node that this one feeds.
void for_edges(const node_spec& node, auto each) {
  for (std::size_t i = 0; i < node.to.size(); ++i) each(node.to[i], node.ports.empty() ? std::string{} : node.ports[i]);
  if (node.returns_to) each(*node.returns_to, std::string{"through a topic"});
}

std::string as_text(const plan& what) {
  constexpr std::size_t widest = 60;  // a long rule does not push away what stands behind short ones
  std::size_t name_width = 0;
  std::size_t verb_width = 0;
  const auto does = [](const node_spec& node) { return node.verb + (node.note.empty() ? "" : " " + node.note); };
  for (const node_spec& node : what.nodes()) {
    name_width = std::max(name_width, node.name.size());
    verb_width = std::max(verb_width, node.to.empty() ? 0 : std::min(widest, does(node).size()));
  }
  std::string text = what.application() + "\n";
  for (const node_spec& node : what.nodes()) {
    std::string line =
        "  " + padded(node.name, name_width) + "  " + padded(does(node), node.to.empty() ? 0 : verb_width);
    std::string_view between = "  -> ";
    for_edges(node, [&](std::uint32_t to, const std::string& label) {
      line += between;
      line += (label.empty() ? "" : label + ": ") + what.nodes()[to].name;
      between = ", ";
    });
    text += line + "\n";
  }
  return text;
}

std::string escaped(std::string_view text, std::string_view special, std::string_view (*replace)(char)) {
  std::string result;
  for (const char c : text) {
    if (special.find(c) == std::string_view::npos) {
      result += c;
    } else {
      result += replace(c);
    }
  }
  return result;
}

std::string in_mermaid(std::string_view text) {
  return escaped(text, "\"<>", [](char c) -> std::string_view {
    return c == '"' ? "#quot;" : c == '<' ? "#lt;" : "#gt;";
  });
}

std::string in_dot(std::string_view text) {
  return escaped(text, "\"\\", [](char c) -> std::string_view { return c == '"' ? "\\\"" : "\\\\"; });
}

std::string in_json(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      result += {'\\', c};
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char code[7];
      std::snprintf(code, sizeof code, "\\u%04x", static_cast<unsigned>(c));
      result += code;
    } else {
      result += c;
    }
  }
  return result + "\"";
}

std::string label_of(const node_spec& node) {
  std::string label = node.name + "\n" + node.verb;
  return node.note.empty() ? label : label + " " + node.note;
}

void replace_newline(std::string& text, std::string_view by) {
  if (const std::size_t at = text.find('\n'); at != std::string::npos) text.replace(at, 1, by);
}

std::string as_mermaid(const plan& what) {
  std::string text = "flowchart LR\n";
  for (std::size_t i = 0; i < what.nodes().size(); ++i) {
    std::string label = in_mermaid(label_of(what.nodes()[i]));
    replace_newline(label, "<br>");
    text += "  n" + std::to_string(i) + "[\"" + label + "\"]\n";
  }
  for (std::size_t i = 0; i < what.nodes().size(); ++i)
    for_edges(what.nodes()[i], [&](std::uint32_t to, const std::string& label) {
      text += "  n" + std::to_string(i) + " -->" + (label.empty() ? " " : "|" + in_mermaid(label) + "| ") + "n" +
              std::to_string(to) + "\n";
    });
  return text;
}

std::string as_dot(const plan& what) {
  std::string text = "digraph \"" + in_dot(what.application()) + "\" {\n  rankdir=LR;\n  node [shape=box];\n";
  for (std::size_t i = 0; i < what.nodes().size(); ++i) {
    std::string label = in_dot(label_of(what.nodes()[i]));
    replace_newline(label, "\\n");
    text += "  n" + std::to_string(i) + " [label=\"" + label + "\"];\n";
  }
  for (std::size_t i = 0; i < what.nodes().size(); ++i)
    for_edges(what.nodes()[i], [&](std::uint32_t to, const std::string& label) {
      text += "  n" + std::to_string(i) + " -> n" + std::to_string(to) +
              (label.empty() ? "" : " [label=\"" + in_dot(label) + "\"]") + ";\n";
    });
  return text + "}\n";
}

std::string as_json(const plan& what) {
  std::string text = "{\"application\":" + in_json(what.application()) + ",\"nodes\":[";
  std::string_view between = "";
  for (const node_spec& node : what.nodes()) {
    text += std::string{between} + "{\"name\":" + in_json(node.name) + ",\"verb\":" + in_json(node.verb) +
            ",\"note\":" + in_json(node.note) + ",\"to\":[";
    std::string_view comma = "";
    for_edges(node, [&](std::uint32_t to, const std::string& label) {
      text += std::string{comma} + "{\"node\":" + in_json(what.nodes()[to].name) +
              (label.empty() ? "" : ",\"branch\":" + in_json(label)) + "}";
      comma = ",";
    });
    text += "]}";
    between = ",";
  }
  return text + "]}\n";
}

}  // namespace

std::string describe(const plan& what, format how) {
  switch (how) {
    case format::text:
      return as_text(what);
    case format::mermaid:
      return as_mermaid(what);
    case format::dot:
      return as_dot(what);
    case format::json:
      return as_json(what);
  }
  return {};
}

std::string describe(const topology& what, format how) {
  return describe(*what.build(), how);
}

}  // namespace flow
