#pragma once

#include <rocksdb/status.h>

#include <filesystem>
#include <string>

#include <flow/failure.hpp>

/// What can go wrong with a state directory, in words.
namespace flow::database {

inline constexpr const char* start_over = "move it away and start again: positions come back from the targets";
inline constexpr const char* one_each = "give each application and each replica a state directory of its own";

/// "the state directory 'PATH'"
std::string quoted(const std::filesystem::path& directory);

/// @param error an errno; 0 for what only `detail` knows
failure because(int error, const std::filesystem::path& directory, const std::string& detail);
failure because(const rocksdb::Status& status, const std::filesystem::path& directory);

/// The same for who is about to start: nobody tries again by himself.
failure at_start(failure why);

}  // namespace flow::database
