#pragma once

#include <filesystem>
#include <functional>
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

/// What dedups have left in a state directory, for who only looks.
class snapshot {
 public:
  virtual ~snapshot() = default;
  /// By which ids are hashed there.
  virtual const std::string& dedup_key() const = 0;
  /// Calls `see` for each page of a dedup, by topic, partition and `from`; one of them is in memory at a time.
  virtual result<void> recall(const std::string& node,
                              const std::function<void(const port::seen_page&)>& see) const = 0;
};

/// Opens a state directory as it is at some moment of the call, be it in use by this or another process: takes no lock,
/// and neither makes, changes nor deletes anything there. What is written later is not seen. Blocks, for a second
/// more at most if the files change under it.
///
/// Kinds of failure: `missing` where no application has kept anything, otherwise as of `open_state`.
result<std::unique_ptr<snapshot>> look_at(const std::filesystem::path& directory, const identity& owner);

/// Random bytes, as many as `seen_ids` want.
std::string new_dedup_key();

}  // namespace flow::database
