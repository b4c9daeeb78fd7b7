#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include <flow/log.hpp>
#include <flow/ports.hpp>

/// The state directory on disk: one RocksDB per application.
namespace flow::database {

/// Whose state a directory holds. It is written down when the directory is first used.
struct identity {
  std::string application;
  std::string home;  ///< the home cluster's name

  bool operator==(const identity&) const = default;
};

/// Opens the state directory, and makes it if it is not there: without one, positions come back from the targets.
///
/// What is written survives the end of the process at any moment, whole batches only. A power cut may take the newest
/// batches with it, never one in the middle. The directory is this process's alone until the answer is destroyed.
///
/// After a failed write the database is opened anew by the next call, so that whoever tries again goes on as soon as
/// the disk does; until then reads fail as well. Calls are safe from any thread and wait for each other.
///
/// What is damaged is found here, tables included, logged, and set aside in a folder of its own within the directory; a
/// new database begins in its place. That is no start from zero: it is as if the directory had been lost.
///
/// Kinds of failure, here and later: `refused` for what a person has to mend (another process, application, home or
/// format; permissions; not a directory; a read-only file system; files that are not flow's), `corrupt` for damage that
/// shows later, `retriable` for a full or slow disk and other troubles of I/O.
result<std::unique_ptr<port::state>> open_state(const std::filesystem::path& directory, identity owner,
                                                const log_sink& log);

/// Random bytes, as many as `seen_ids` want.
std::string new_dedup_key();

}  // namespace flow::database
