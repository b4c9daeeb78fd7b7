#pragma once

#include <map>
#include <string>

#include <flow/settings.hpp>

namespace flow::kafka {

/// Why a property of a cluster cannot be set like this, to be read after its name or its value, and what to write
/// instead; empty if it can. Never quotes the value.
complaint check_property(const std::string& name, const std::string& value);

/// What the client finds only when it is made of all of them, each of which can be set: a file that is not there, or one
/// that asks for another. Empty if nothing. Never quotes a secret.
complaint check_properties(const std::map<std::string, std::string>& all);

/// Whether a property says where the cluster is.
bool names_servers(const std::string& property);

}  // namespace flow::kafka
