#include "database.hpp"

#include <rocksdb/db.h>
#include <rocksdb/table.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <mutex>
#include <random>
#include <system_error>
#include <thread>
#include <vector>

#include "failures.hpp"
#include "quarantine.hpp"
#include "scratch.hpp"
#include "values.hpp"

namespace flow::database {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr int format = 1;
constexpr const char* positions = "positions";
constexpr const char* seen = "seen";

// RocksDB's own log file would be one more thing that a full disk breaks, and builds with assertions, Debian's among
// them, then end the process. What matters comes as a status anyway.
class silent_log final : public rocksdb::Logger {
 public:
  silent_log() : Logger{rocksdb::InfoLogLevel::FATAL_LEVEL} {}
  using Logger::Logv;
  void Logv(const char*, va_list) override {}
};

// A few hundred small records that are overwritten ten times a second and read once, at a takeover.
rocksdb::Options settings() {
  rocksdb::Options to;
  to.create_if_missing = true;
  to.create_missing_column_families = true;

  // After a power cut the log is replayed up to its first damage: what the disk had by then, in the order it was
  // written. A batch that is lost behind that is rolled forward from its target.
  to.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;

  // Flushing a memtable keeps one version of each key, so a buffer of many versions becomes a file of a few
  // kilobytes; four of those are merged into one. More buffers than one, so that no commit waits for a flush.
  to.write_buffer_size = 1u << 20;
  to.max_write_buffer_number = 4;
  to.max_total_wal_size = 8u << 20;
  to.target_file_size_base = 4u << 20;
  to.level0_file_num_compaction_trigger = 4;
  to.compression = rocksdb::kNoCompression;

  // Reads are rare: what the page cache holds is enough.
  rocksdb::BlockBasedTableOptions table;
  table.no_block_cache = true;
  to.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  to.max_open_files = 64;

  // One thread that flushes and one that compacts, shared by all applications of the process.
  to.max_background_jobs = 2;
  to.max_file_opening_threads = 1;
  to.allow_concurrent_memtable_write = false;
  to.stats_dump_period_sec = 0;
  to.stats_persist_period_sec = 0;

  to.info_log = std::make_shared<silent_log>();
  to.max_manifest_file_size = 1u << 20;
  return to;
}

// Pages of up to two megabytes that are written once, read once, at a start, and dropped in the order they were
// written.
rocksdb::Options settings_of(const std::string& family) {
  auto to = settings();
  if (family != seen) return to;
  to.write_buffer_size = 8u << 20;
  to.target_file_size_base = 32u << 20;
  return to;
}

struct open_database {
  std::unique_ptr<rocksdb::DB> db;
  std::vector<rocksdb::ColumnFamilyHandle*> families;

  open_database() = default;
  open_database(const open_database&) = delete;
  open_database& operator=(const open_database&) = delete;
  ~open_database() {
    for (auto* family : families) db->DestroyColumnFamilyHandle(family);
  }

  rocksdb::ColumnFamilyHandle* family(std::string_view name) const {
    return *std::ranges::find_if(families, [&](const auto* family) { return family->GetName() == name; });
  }
};

result<void> prepare(const fs::path& directory) {
  std::error_code error;
  fs::create_directories(directory, error);
  if (!error && ::access(directory.c_str(), R_OK | W_OK | X_OK) != 0) error = {errno, std::generic_category()};
  if (error) return tl::unexpected{because(error.value(), directory, error.message())};

  // LOCK is the first file that RocksDB makes, so that a first start that crashed is recognised.
  if (!fs::exists(directory / "LOCK", error) && !fs::is_empty(directory, error))
    return fail(failure_kind::refused, quoted(directory) + " holds files that are not flow's",
                "choose an empty directory, or a path that does not exist yet");
  return {};
}

result<std::unique_ptr<open_database>> open_files(const fs::path& directory) {
  const auto options = settings();
  std::vector<std::string> names{rocksdb::kDefaultColumnFamilyName};
  if (fs::exists(directory / "CURRENT"))
    if (const auto status = rocksdb::DB::ListColumnFamilies(options, directory, &names); !status.ok())
      return tl::unexpected{because(status, directory)};
  for (const char* ours : {positions, seen})
    if (std::ranges::find(names, ours) == names.end()) names.push_back(ours);

  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (const auto& name : names) families.emplace_back(name, settings_of(name));
  auto opened = std::make_unique<open_database>();
  rocksdb::DB* db = nullptr;
  const auto status = rocksdb::DB::Open(options, directory, families, &opened->families, &db);
  opened->db.reset(db);
  if (!status.ok()) return tl::unexpected{because(status, directory)};
  return opened;
}

result<std::optional<std::string>> find(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family, const rocksdb::Slice& key,
                                        const fs::path& directory) {
  std::string value;
  const auto status = db.Get({}, family, key, &value);
  if (status.IsNotFound()) return std::nullopt;
  if (!status.ok()) return tl::unexpected{because(status, directory)};
  return value;
}

result<void> sign(rocksdb::DB& db, const identity& owner, const fs::path& directory) {
  rocksdb::WriteBatch batch;
  batch.Put("format", std::to_string(format));
  batch.Put("application", owner.application);
  batch.Put("home", owner.home);
  batch.Put("dedup key", new_dedup_key());
  rocksdb::WriteOptions durably;
  durably.sync = true;
  if (const auto status = db.Write(durably, &batch); !status.ok()) return tl::unexpected{because(status, directory)};
  return {};
}

bool unused(rocksdb::DB& db) {
  const std::unique_ptr<rocksdb::Iterator> records{db.NewIterator({})};
  records->SeekToFirst();
  return !records->Valid() && records->status().ok();
}

result<void> check_owner(rocksdb::DB& db, const identity& owner, const fs::path& directory) {
  std::optional<std::string> found[3];
  const char* const names[] = {"format", "application", "home"};
  for (int i = 0; i < 3; ++i) {
    auto value = find(db, db.DefaultColumnFamily(), names[i], directory);
    if (!value) return tl::unexpected{value.error()};
    found[i] = *std::move(value);
  }
  const auto& [version, application, home] = found;

  if (!version)
    return fail(failure_kind::refused, quoted(directory) + " holds a RocksDB database that is not flow's",
                "choose an empty directory, or a path that does not exist yet");
  if (*version != std::to_string(format))
    return fail(
        failure_kind::refused,
        quoted(directory) + " has format " + *version + ", and this flow knows format " + std::to_string(format),
        "run the version of flow that wrote it, or " + std::string{start_over});
  if (!application || !home)
    return fail(failure_kind::corrupt, quoted(directory) + " is damaged: it does not say whose it is", start_over);
  if (identity{*application, *home} != owner)
    return fail(failure_kind::refused,
                quoted(directory) + " belongs to application '" + *application + "' with home '" + *home +
                    "', not to '" + owner.application + "' with home '" + owner.home + "'",
                one_each);
  return {};
}

result<std::unique_ptr<open_database>> open_database_of(const identity& owner, const fs::path& directory) {
  return prepare(directory)
      .and_then([&] { return open_files(directory); })
      .and_then([&](std::unique_ptr<open_database> opened) -> result<std::unique_ptr<open_database>> {
        const auto ours =
            unused(*opened->db) ? sign(*opened->db, owner, directory) : check_owner(*opened->db, owner, directory);
        if (!ours) return tl::unexpected{ours.error()};
        return opened;
      });
}

// RocksDB looks at a table when it is read, which may be long after the start.
result<std::unique_ptr<open_database>> open_whole(const identity& owner, const fs::path& directory) {
  return open_database_of(owner, directory)
      .and_then([&](std::unique_ptr<open_database> opened) -> result<std::unique_ptr<open_database>> {
        if (const auto status = opened->db->VerifyChecksum(); !status.ok())
          return tl::unexpected{because(status, directory)};
        return opened;
      });
}

result<std::unique_ptr<open_database>> open_anew(const identity& owner, const fs::path& directory, const failure& why,
                                                 const log_sink& log) {
  if (why.kind != failure_kind::corrupt) return tl::unexpected{why};
  return set_aside(directory).and_then([&](const fs::path& folder) {
    log(severity::warn, why.text + "; what was there is in '" + folder.string() +
                            "' now. Positions come back from the targets, what a dedup has seen from the source");
    return open_database_of(owner, directory);
  });
}

tl::unexpected<failure> nothing_in(const fs::path& directory, const std::string& why) {
  return fail(failure_kind::missing, quoted(directory) + why, "name the one that the program runs with");
}

std::vector<std::string> files_in(const fs::path& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator each{directory, error}, end; !error && each != end; each.increment(error))
    names.push_back(each->path().filename());
  std::ranges::sort(names);
  return names;
}

result<std::unique_ptr<open_database>> open_to_look(const fs::path& directory) {
  auto options = settings();
  options.create_if_missing = options.create_missing_column_families = false;
  // Every table is opened now, and can be read even after its owner has deleted it.
  options.max_open_files = -1;
  std::vector<std::string> names;
  if (const auto status = rocksdb::DB::ListColumnFamilies(options, directory, &names); !status.ok())
    return tl::unexpected{because(status, directory)};
  if (std::ranges::find(names, seen) == names.end()) return nothing_in(directory, " holds nothing yet");
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (const auto& name : names) families.emplace_back(name, rocksdb::ColumnFamilyOptions{options});
  auto opened = std::make_unique<open_database>();
  rocksdb::DB* db = nullptr;
  const auto status = rocksdb::DB::OpenForReadOnly(options, directory, families, &opened->families, &db);
  opened->db.reset(db);
  if (!status.ok()) return tl::unexpected{because(status, directory)};
  return opened;
}

// RocksDB takes no notice of a log that its owner has deleted since the list of tables was read, although what stood in
// it stands in a table that is not on that list. So what it says counts only if nothing has been deleted meanwhile.
result<std::unique_ptr<open_database>> open_unchanged(const fs::path& directory) {
  for (int attempt = 0; attempt < 20; ++attempt) {
    if (attempt > 0) std::this_thread::sleep_for(50ms);
    const auto before = files_in(directory);
    auto opened = open_to_look(directory);
    if (std::ranges::includes(files_in(directory), before)) return opened;
  }
  return fail(failure_kind::retriable, quoted(directory) + " changes too often to be looked at", "try again");
}

class looked_at final : public snapshot {
 public:
  looked_at(fs::path directory, std::unique_ptr<open_database> opened, std::string key)
      : directory_{std::move(directory)}, open_{std::move(opened)}, key_{std::move(key)} {}

  const std::string& dedup_key() const override { return key_; }

  result<void> recall(const std::string& node, const std::function<void(const port::seen_page&)>& see) const override {
    const auto prefix = prefix_of(node);
    const std::unique_ptr<rocksdb::Iterator> records{open_->db->NewIterator({}, open_->family(seen))};
    for (records->Seek(prefix); records->Valid() && records->key().starts_with(prefix); records->Next()) {
      const auto page =
          seen_page_of(node, records->key().ToStringView().substr(prefix.size()), records->value().ToStringView());
      if (!page)
        return fail(failure_kind::corrupt,
                    quoted(directory_) + " is damaged: what '" + node + "' has seen cannot be read");
      see(*page);
    }
    if (!records->status().ok()) return tl::unexpected{because(records->status(), directory_)};
    return {};
  }

 private:
  fs::path directory_;
  std::unique_ptr<open_database> open_;
  std::string key_;
};

class state final : public port::state {
 public:
  state(fs::path directory, identity owner, std::unique_ptr<open_database> opened)
      : directory_{std::move(directory)}, owner_{std::move(owner)}, open_{std::move(opened)} {}

  // A clean stop leaves nothing to a power cut.
  ~state() override {
    if (open_) open_->db->SyncWAL().PermitUncheckedError();
  }

  result<std::optional<port::lane_state>> read(const port::lane_key& lane) override {
    const std::lock_guard lock{mutex_};
    if (auto ready = ensure_open(); !ready) return tl::unexpected{ready.error()};
    auto value = find(*open_->db, open_->family(positions), key_of(lane), directory_);
    if (!value) return tl::unexpected{value.error()};
    if (!*value) return std::nullopt;
    auto found = lane_state_of(**value);
    if (!found)
      return fail(failure_kind::corrupt,
                  quoted(directory_) + " is damaged: lane " + std::to_string(lane.lane) + " of '" + lane.cluster +
                      "' holds no position",
                  start_over);
    return found;
  }

  result<void> write(const std::map<port::lane_key, port::lane_state>& lanes) override {
    rocksdb::WriteBatch batch;
    const std::lock_guard lock{mutex_};
    if (auto ready = ensure_open(); !ready) return ready;
    for (const auto& [key, lane] : lanes) batch.Put(open_->family(positions), key_of(key), value_of(lane));
    return write(batch);
  }

  result<void> recall(const std::string& node, const topic_partition& where,
                      const std::function<void(const port::seen_page&)>& see) override {
    const std::lock_guard lock{mutex_};
    if (auto ready = ensure_open(); !ready) return ready;
    const auto prefix = prefix_of(node, where);
    const std::unique_ptr<rocksdb::Iterator> records{open_->db->NewIterator({}, open_->family(seen))};
    for (records->Seek(prefix); records->Valid() && records->key().starts_with(prefix); records->Next()) {
      const auto page = seen_page_of(node, where, records->key().ToStringView().substr(prefix.size()),
                                     records->value().ToStringView());
      if (!page)
        return fail(failure_kind::corrupt, quoted(directory_) + " is damaged: what '" + node + "' has seen of " +
                                               to_string(where) + " cannot be read");
      see(*page);
    }
    if (!records->status().ok()) return tl::unexpected{because(records->status(), directory_)};
    return {};
  }

  result<void> remember(const std::vector<port::seen_page>& pages,
                        const std::vector<port::seen_page>& outdated) override {
    rocksdb::WriteBatch batch;
    const std::lock_guard lock{mutex_};
    if (auto ready = ensure_open(); !ready) return ready;
    for (const auto& each : outdated) batch.Delete(open_->family(seen), key_of(each));
    for (const auto& each : pages) batch.Put(open_->family(seen), key_of(each), value_of(each));
    return write(batch);
  }

  std::string dedup_key() override {
    const std::lock_guard lock{mutex_};
    if (!key_.empty()) return key_;
    // One that is not written down only makes what is kept useless.
    if (ensure_open()) key_ = stored_key().value_or("");
    if (key_.empty()) key_ = new_dedup_key();
    return key_;
  }

  std::string settle_dedup_key(const std::string& agreed) override {
    const auto own = dedup_key();
    const std::lock_guard lock{mutex_};
    if (std::exchange(is_settled_, true) || own == agreed) return own;
    // With one that is not written down what is kept would be taken for something else the next time.
    if (!ensure_open() || !hash_by(agreed)) return own;
    return key_ = agreed;
  }

  result<std::unique_ptr<port::scratch>> open_scratch() override { return database::open_scratch(directory_); }

 private:
  result<void> write(rocksdb::WriteBatch& batch) {
    // A commit never waits for a flush that lags behind; such a write is refused whole and breaks nothing.
    rocksdb::WriteOptions at_once;
    at_once.no_slowdown = true;
    const auto status = open_->db->Write(at_once, &batch);
    if (status.ok()) return {};
    // RocksDB refuses everything after a failed write, in some cases until it is closed.
    if (!status.IsIncomplete()) open_.reset();
    return tl::unexpected{because(status, directory_)};
  }

  result<void> ensure_open() {
    if (open_) return {};
    auto opened = open_database_of(owner_, directory_);
    if (!opened) return tl::unexpected{opened.error()};
    open_ = std::move(*opened);
    // The directory may have been made anew under us, with a key that nothing here is hashed by.
    const auto written = key_.empty() ? std::nullopt : stored_key();
    return written && *written != key_ ? hash_by(key_) : result<void>{};
  }

  std::optional<std::string> stored_key() {
    const auto found = find(*open_->db, open_->db->DefaultColumnFamily(), "dedup key", directory_);
    return found ? *found : std::nullopt;
  }

  // What is kept by another key goes with it.
  result<void> hash_by(const std::string& key) {
    rocksdb::WriteBatch batch;
    const std::unique_ptr<rocksdb::Iterator> pages{open_->db->NewIterator({}, open_->family(seen))};
    for (pages->SeekToFirst(); pages->Valid(); pages->Next()) batch.Delete(open_->family(seen), pages->key());
    if (!pages->status().ok()) return tl::unexpected{because(pages->status(), directory_)};
    batch.Put("dedup key", key);
    return write(batch);
  }

  const fs::path directory_;
  const identity owner_;
  std::mutex mutex_;
  std::unique_ptr<open_database> open_;
  std::string key_;
  bool is_settled_ = false;
};

}  // namespace

std::string new_dedup_key() {
  std::random_device dice;
  std::string key(192, '\0');
  std::ranges::generate(key, [&] { return static_cast<char>(dice()); });
  return key;
}

result<std::unique_ptr<port::state>> open_state(const fs::path& directory, identity owner, const log_sink& log) {
  return open_whole(owner, directory)
      .or_else([&](const failure& why) { return open_anew(owner, directory, why, log); })
      .map([&](auto opened) -> std::unique_ptr<port::state> {
        return std::make_unique<state>(directory, std::move(owner), std::move(opened));
      })
      .map_error(at_start);
}

result<std::unique_ptr<snapshot>> look_at(const fs::path& directory, const identity& owner) {
  std::error_code error;
  if (!fs::exists(directory, error) && !error) return nothing_in(directory, " does not exist");
  if (!error && !fs::is_directory(directory)) error = std::make_error_code(std::errc::not_a_directory);
  if (!error && ::access(directory.c_str(), R_OK | X_OK) != 0) error = {errno, std::generic_category()};
  if (error) return tl::unexpected{because(error.value(), directory, error.message())};
  if (!fs::exists(directory / "CURRENT", error)) return nothing_in(directory, " holds nothing of flow's");
  return open_unchanged(directory).and_then(
      [&](std::unique_ptr<open_database> opened) -> result<std::unique_ptr<snapshot>> {
        if (unused(*opened->db)) return nothing_in(directory, " holds nothing yet");
        if (auto checked = check_owner(*opened->db, owner, directory); !checked) return tl::unexpected{checked.error()};
        auto key = find(*opened->db, opened->db->DefaultColumnFamily(), "dedup key", directory);
        if (!key) return tl::unexpected{key.error()};
        if (!*key)
          return fail(failure_kind::corrupt, quoted(directory) + " is damaged: it does not say by what ids are hashed",
                      start_over);
        return std::make_unique<looked_at>(directory, std::move(opened), **std::move(key));
      });
}

}  // namespace flow::database
