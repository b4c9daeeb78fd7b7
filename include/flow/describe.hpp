#pragma once

#include <string>

#include <flow/plan.hpp>

namespace flow {

class topology;

/// For people, for Markdown, for Graphviz, for programs.
enum class format { text, mermaid, dot, json };

/// The nodes of a plan and how they hang together, for people, documents and programs.
std::string describe(const plan& what, format how = format::text);
/// The same of `what.build()`, with all that building means.
std::string describe(const topology& what, format how = format::text);

}  // namespace flow
