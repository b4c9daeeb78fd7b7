#pragma once

#include <string>

#include <flow/settings.hpp>

namespace flow::kafka {

/// Why a property of a cluster cannot be set like this, to be read after its name or its value, and what to write
/// instead; empty if it can. Never quotes the value.
complaint check_property(const std::string& name, const std::string& value);

/// Whether a property says where the cluster is.
bool names_servers(const std::string& property);

}  // namespace flow::kafka
