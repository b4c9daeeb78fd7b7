#pragma once

#include <filesystem>

#include <flow/failure.hpp>

namespace flow::database {

/// Moves everything in the state directory that is damaged to a new folder within it, "damaged-20260131T120000Z", for
/// people to look at; nothing is deleted. Refused if another process uses the directory.
/// @return that folder
result<std::filesystem::path> set_aside(const std::filesystem::path& directory);

}  // namespace flow::database
