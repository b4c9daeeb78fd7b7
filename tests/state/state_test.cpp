#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <rocksdb/db.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <span>
#include <thread>
#include <vector>

#include "database.hpp"

namespace flow::database {
namespace {

namespace fs = std::filesystem;
using port::lane_key;
using port::lane_state;

const identity sync_home{"sync", "home"};

/// A path that does not exist yet, in a folder that goes with the test.
class state_test : public testing::Test {
 protected:
  state_test() {
    std::string pattern = fs::temp_directory_path() / "flow-state-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    // Another user has to get as far as the directory itself.
    fs::permissions(folder_, fs::perms::others_exec, fs::perm_options::add);
  }
  ~state_test() override { fs::remove_all(folder_); }

  fs::path directory() const { return folder_ / "state"; }
  std::string named() const { return "the state directory '" + directory().string() + "'"; }

  std::unique_ptr<port::state> open() const {
    auto state = open_state(directory(), sync_home, log());
    EXPECT_TRUE(state) << to_string(state.error());
    return state ? *std::move(state) : nullptr;
  }
  log_sink log() const {
    return [this](severity, std::string_view text) { logged_.emplace_back(text); };
  }
  /// The folders in which something damaged was put, in order.
  std::vector<fs::path> set_aside() const {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator{directory()})
      if (entry.path().filename().string().starts_with("damaged-")) found.push_back(entry.path());
    std::ranges::sort(found);
    return found;
  }
  /// Opens what is damaged: it has to be found empty, with what was there set aside.
  void expect_quarantine() const {
    const auto before = set_aside().size();
    const auto state = open();
    ASSERT_TRUE(state);
    for (std::int32_t lane = 0; lane < 32; ++lane) EXPECT_EQ(state->read({"tokyo", lane}), std::nullopt);
    ASSERT_EQ(set_aside().size(), before + 1);
    EXPECT_TRUE(fs::exists(set_aside().back() / "CURRENT"));
    ASSERT_FALSE(logged_.empty());
    EXPECT_TRUE(logged_.back().starts_with(named() + " is damaged: ")) << logged_.back();
    EXPECT_NE(logged_.back().find("'" + set_aside().back().string() + "'"), std::string::npos) << logged_.back();
  }
  failure refusal(const identity& owner = sync_home) const {
    const auto state = open_state(directory(), owner, log());
    EXPECT_FALSE(state);
    return state ? failure{} : state.error();
  }

  mutable std::vector<std::string> logged_;

 private:
  fs::path folder_;
};

/// Runs `state_process`, and reads what it says.
class other_process {
 public:
  explicit other_process(const std::vector<std::string>& arguments) {
    std::array<int, 2> in{};
    std::array<int, 2> out{};
    if (::pipe2(in.data(), O_CLOEXEC) != 0 || ::pipe2(out.data(), O_CLOEXEC) != 0) std::abort();
    std::vector<char*> argv{const_cast<char*>(STATE_PROCESS)};
    for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(in[0], STDIN_FILENO);
      ::dup2(out[1], STDOUT_FILENO);
      ::execv(argv[0], argv.data());
      ::_exit(127);
    }
    ::close(in[0]);
    ::close(out[1]);
    to_ = in[1];
    said_ = ::fdopen(out[0], "r");
    std::setvbuf(said_, nullptr, _IONBF, 0);
  }
  other_process(const other_process&) = delete;
  other_process& operator=(const other_process&) = delete;
  ~other_process() {
    end(SIGKILL);
    std::fclose(said_);
  }

  pid_t pid() const { return pid_; }

  /// The next line; empty if there is none.
  std::string line() {
    std::string text;
    for (int byte = std::fgetc(said_); byte != EOF && byte != '\n'; byte = std::fgetc(said_))
      text.push_back(static_cast<char>(byte));
    return text;
  }

  /// The last that it has said by now; waits for one more line at least.
  std::string newest_line() {
    auto newest = line();
    for (pollfd more{::fileno(said_), POLLIN, 0}; ::poll(&more, 1, 0) > 0 && (more.revents & POLLIN) != 0;)
      newest = line();
    return newest;
  }

  void end(int signal = 0) {
    if (pid_ < 0) return;
    ::close(to_);
    if (signal != 0) ::kill(pid_, signal);
    ::waitpid(std::exchange(pid_, -1), nullptr, 0);
  }

 private:
  pid_t pid_ = -1;
  int to_ = -1;
  std::FILE* said_ = nullptr;
};

/// No file may grow beyond `bytes` until this goes: a disk that is full, for whoever has no disk to fill.
class small_disk {
 public:
  explicit small_disk(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit small{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &small);
  }
  small_disk(const small_disk&) = delete;
  small_disk& operator=(const small_disk&) = delete;
  ~small_disk() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int) = std::signal(SIGXFSZ, SIG_IGN);
};

/// Overwrites something near the beginning of every file whose name begins or ends like that; how many there were.
int damage(const fs::path& directory, const std::string& part) {
  int found = 0;
  for (const auto& entry : fs::directory_iterator{directory}) {
    const auto name = entry.path().filename().string();
    if (!name.starts_with(part) && !name.ends_with(part)) continue;
    std::fstream file{entry.path(), std::ios::in | std::ios::out | std::ios::binary};
    file.seekp(20);
    file << "damage";
    ++found;
  }
  return found;
}

/// More than what one memtable holds, so that files of every kind come to be; faster than a disk may follow.
void write_much(port::state& state) {
  const std::string position(4096, 'p');
  for (std::int64_t sequence = 0; sequence < 1000; ++sequence)
    while (!state.write({{{"tokyo", static_cast<std::int32_t>(sequence % 32)}, {sequence, position}}}))
      std::this_thread::yield();
}

int threads() {
  return static_cast<int>(std::distance(fs::directory_iterator{"/proc/self/task"}, fs::directory_iterator{}));
}

TEST_F(state_test, what_is_written_is_read) {
  const auto state = open();
  ASSERT_TRUE(state->write({{{"tokyo", 0}, {7, "here"}}, {{"tokyo", 1}, {8, ""}}, {{"paris", 0}, {9, "there"}}}));
  ASSERT_TRUE(state->write({{{"tokyo", 0}, {10, std::string{"a\0b", 3}}}}));
  EXPECT_EQ(state->read({"tokyo", 0}), (lane_state{10, std::string{"a\0b", 3}}));
  EXPECT_EQ(state->read({"tokyo", 1}), (lane_state{8, ""}));
  EXPECT_EQ(state->read({"paris", 0}), (lane_state{9, "there"}));
}

port::seen_page page_of(const std::string& node, const topic_partition& where, std::int64_t from,
                        std::vector<occurrence> occurrences = {}) {
  return {node, where, from, from + 10, 5, std::move(occurrences)};
}

result<std::vector<port::seen_page>> recalled(port::state& from, const std::string& node,
                                              const topic_partition& where) {
  std::vector<port::seen_page> pages;
  return from.recall(node, where, [&](const auto& page) { pages.push_back(page); }).map([&] { return pages; });
}

TEST_F(state_test, what_a_dedup_has_seen_comes_back_in_order_by_node_and_partition) {
  const std::vector<port::seen_page> pages{
      page_of("seen", {"orders", 0}, 300, {{1, 2, 300, -1}, {~0ull, 0, 301, 1'700'000'000'000}}),
      page_of("seen", {"orders", 0}, 20), page_of("seen", {"orders", 1}, 0), page_of("seen-2", {"orders", 0}, 0),
      page_of("seen", {"orders2", 0}, 0)};
  {
    const auto state = open();
    ASSERT_TRUE(state->remember(pages, {}));
  }
  const auto state = open();
  EXPECT_EQ(recalled(*state, "seen", {"orders", 0}), (std::vector{pages[1], pages[0]}));
  EXPECT_EQ(recalled(*state, "seen", {"orders", 1}), (std::vector{pages[2]}));
  EXPECT_EQ(recalled(*state, "seen-2", {"orders", 0}), (std::vector{pages[3]}));
  EXPECT_EQ(recalled(*state, "seen", {"payments", 0}), std::vector<port::seen_page>{});
}

TEST_F(state_test, pages_are_dropped_by_where_they_begin_and_replaced_likewise) {
  const auto state = open();
  const topic_partition where{"orders", 0};
  ASSERT_TRUE(state->remember({page_of("seen", where, 0), page_of("seen", where, 10), page_of("seen", where, 20)}, {}));
  const auto again = page_of("seen", where, 20, {{1, 2, 3, 4}});
  ASSERT_TRUE(state->remember({again}, {page_of("seen", where, 0), page_of("seen", where, 5)}));
  EXPECT_EQ(recalled(*state, "seen", where), (std::vector{page_of("seen", where, 10), again}));
}

/// What a dedup has seen, to who only looks.
result<std::vector<port::seen_page>> look(const fs::path& directory, const std::string& node,
                                          const identity& owner = sync_home) {
  std::vector<port::seen_page> pages;
  return look_at(directory, owner)
      .and_then([&](const auto& there) { return there->recall(node, [&](const auto& page) { pages.push_back(page); }); })
      .map([&] { return pages; });
}

TEST_F(state_test, who_looks_sees_what_is_written_beside_the_owner) {
  const auto state = open();
  const auto first = page_of("seen", {"orders", 0}, 20), second = page_of("seen", {"orders", 0}, 300, {{1, 2, 300, -1}}),
             other = page_of("seen", {"orders", -1}, 7), longer = page_of("seen", {"orders2", 1}, 0);
  ASSERT_TRUE(state->remember({longer, second, first, other, page_of("seen-2", {"orders", 0}, 0)}, {}));
  EXPECT_EQ(look(directory(), "seen"), (std::vector{first, second, other, longer}));
  EXPECT_EQ(look(directory(), "see"), std::vector<port::seen_page>{});
  const auto there = look_at(directory(), sync_home);
  ASSERT_TRUE(there) << to_string(there.error());
  EXPECT_EQ((*there)->dedup_key(), state->dedup_key());
  EXPECT_TRUE(state->remember({page_of("seen", {"orders", 0}, 400)}, {first}));
  EXPECT_EQ(look(directory(), "seen")->size(), 4u);
}

TEST_F(state_test, who_looks_beside_a_busy_owner_misses_nothing_that_was_written_before) {
  other_process owner{{"remember", directory()}};
  ASSERT_EQ(owner.line(), "open");
  for (int round = 0; round < 15; ++round) {
    const auto written = std::stoll(owner.newest_line());
    const auto pages = look(directory(), "seen");
    ASSERT_TRUE(pages) << to_string(pages.error());
    ASSERT_FALSE(pages->empty());
    EXPECT_GE(pages->back().from, written);
    EXPECT_EQ(pages->size(), std::min<std::int64_t>(100, pages->back().from + 1));
  }
}

std::map<std::string, fs::file_time_type> files_in(const fs::path& directory) {
  std::map<std::string, fs::file_time_type> files;
  for (const auto& each : fs::directory_iterator{directory}) files[each.path().filename()] = each.last_write_time();
  return files;
}

TEST_F(state_test, who_looks_changes_nothing_and_keeps_nobody_out) {
  {
    const auto state = open();
    ASSERT_TRUE(state->remember({page_of("seen", {"orders", 0}, 20)}, {}));
  }
  const auto before = files_in(directory());
  const auto there = look_at(directory(), sync_home);
  ASSERT_TRUE(there) << to_string(there.error());
  EXPECT_EQ(files_in(directory()), before);
  EXPECT_TRUE(open());
}

TEST_F(state_test, there_is_nothing_to_look_at_where_nobody_has_kept_anything) {
  EXPECT_EQ(look(directory(), "seen").error(),
            (failure{failure_kind::missing, named() + " does not exist", "name the one that the program runs with"}));
  EXPECT_FALSE(fs::exists(directory()));
  fs::create_directory(directory());
  EXPECT_EQ(look(directory(), "seen").error().text, named() + " holds nothing of flow's");
  EXPECT_TRUE(fs::is_empty(directory()));
  fs::remove(directory());
  std::ofstream{directory()} << "a file";
  EXPECT_EQ(look(directory(), "seen").error().text,
            named() + " is not a directory, or lies in something that is none");
}

TEST_F(state_test, nobody_looks_at_what_is_another_applications_or_damaged) {
  ASSERT_TRUE(open());
  const auto other = look(directory(), "seen", {"other", "home"}).error();
  EXPECT_EQ(other.kind, failure_kind::refused);
  EXPECT_EQ(other.text, named() + " belongs to application 'sync' with home 'home', not to 'other' with home 'home'");
  std::ofstream{directory() / "CURRENT"} << "MANIFEST-000000\n";
  EXPECT_EQ(look(directory(), "seen").error().kind, failure_kind::corrupt);
  EXPECT_TRUE(set_aside().empty());
}

TEST_F(state_test, the_key_of_ids_stays_the_same_and_is_its_own) {
  std::string key;
  {
    const auto state = open();
    key = state->dedup_key();
    EXPECT_EQ(state->dedup_key(), key);
  }
  EXPECT_GE(key.size(), 136u);
  EXPECT_EQ(open()->dedup_key(), key);
  fs::remove_all(directory());
  EXPECT_NE(open()->dedup_key(), key);
}

TEST_F(state_test, a_key_that_is_agreed_on_drops_what_was_seen_by_another) {
  const auto page = page_of("seen", {"orders", 0}, 20);
  const std::string agreed(192, 'a');
  {
    const auto state = open();
    ASSERT_TRUE(state->remember({page}, {}));
    EXPECT_EQ(state->settle_dedup_key(state->dedup_key()), state->dedup_key());
    // Others have begun with that one.
    EXPECT_NE(state->settle_dedup_key(agreed), agreed);
  }
  EXPECT_EQ(look(directory(), "seen"), std::vector{page});
  {
    const auto state = open();
    EXPECT_EQ(state->settle_dedup_key(agreed), agreed);
    EXPECT_EQ(state->dedup_key(), agreed);
  }
  EXPECT_EQ(look(directory(), "seen"), std::vector<port::seen_page>{});
  EXPECT_EQ(open()->dedup_key(), agreed);
}

TEST_F(state_test, a_lane_that_was_never_written_is_not_there) {
  const auto state = open();
  ASSERT_TRUE(state->write({{{"tokyo", 256}, {7, "here"}}}));
  EXPECT_EQ(state->read({"tokyo", 1}), std::nullopt);
  EXPECT_EQ(state->read({"toky", 256}), std::nullopt);
  EXPECT_EQ(state->read({"", 256}), std::nullopt);
}

TEST_F(state_test, numbers_keep_their_range) {
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  const auto state = open();
  ASSERT_TRUE(state->write({{{"c", 0}, {most, ""}}, {{"c", std::numeric_limits<std::int32_t>::max()}, {-1, ""}}}));
  EXPECT_EQ(state->read({"c", 0}), (lane_state{most, ""}));
  EXPECT_EQ(state->read({"c", std::numeric_limits<std::int32_t>::max()}), (lane_state{-1, ""}));
}

TEST_F(state_test, writing_nothing_is_fine) {
  EXPECT_TRUE(open()->write({}));
}

TEST_F(state_test, what_is_written_is_there_after_a_restart) {
  ASSERT_TRUE(open()->write({{{"tokyo", 0}, {7, "here"}}}));
  EXPECT_EQ(open()->read({"tokyo", 0}), (lane_state{7, "here"}));
}

TEST_F(state_test, many_commits_are_there_after_a_restart) {
  write_much(*open());
  const auto state = open();
  for (std::int32_t lane = 0; lane < 32; ++lane)
    EXPECT_EQ(state->read({"tokyo", lane})->value().sequence, lane < 8 ? 992 + lane : 960 + lane);
}

TEST_F(state_test, a_killed_process_leaves_whole_batches_and_everything_it_was_promised) {
  for (int round = 0; round < 5; ++round) {
    fs::remove_all(directory());
    other_process writer{{"write", directory()}};
    ASSERT_EQ(writer.line(), "open");
    std::int64_t promised = 0;
    while (promised < 100 * (round + 1)) promised = std::stoll(writer.line());
    writer.end(SIGKILL);

    const auto state = open();
    const auto found = state->read({"tokyo", 0});
    EXPECT_GE(found->value().sequence, promised);
    EXPECT_EQ(found->value().position, "position " + std::to_string(found->value().sequence));
    EXPECT_EQ(found, state->read({"tokyo", 1}));
  }
}

TEST_F(state_test, crash_after_crash_leaves_no_heap_of_files) {
  for (int round = 0; round < 20; ++round) {
    other_process writer{{"write", directory()}};
    ASSERT_EQ(writer.line(), "open");
    ASSERT_EQ(writer.line(), "1");
    writer.end(SIGKILL);
  }
  // What has come together is cleared away at one of the next starts.
  const auto files = [&] { return std::distance(fs::directory_iterator{directory()}, fs::directory_iterator{}); };
  for (int round = 0; round < 20 && files() > 15; ++round) EXPECT_TRUE(open()->write({{{"tokyo", 0}, {7, "here"}}}));
  EXPECT_LE(files(), 15);
}

TEST_F(state_test, a_log_that_a_power_cut_has_torn_ends_at_its_last_whole_batch) {
  {
    other_process writer{{"write", directory()}};
    ASSERT_EQ(writer.line(), "open");
    while (writer.line() != "50") {
    }
    writer.end(SIGKILL);
  }
  for (const auto& entry : fs::directory_iterator{directory()})
    if (entry.path().extension() == ".log" && entry.file_size() > 0)
      fs::resize_file(entry.path(), entry.file_size() - 5);
  const auto state = open();
  const auto found = state->read({"tokyo", 0});
  EXPECT_GE(found->value().sequence, 49);
  EXPECT_EQ(found, state->read({"tokyo", 1}));
}

TEST_F(state_test, a_lost_directory_is_an_empty_one) {
  ASSERT_TRUE(open()->write({{{"tokyo", 0}, {7, "here"}}}));
  fs::remove_all(directory());
  EXPECT_EQ(open()->read({"tokyo", 0}), std::nullopt);
}

TEST_F(state_test, a_directory_in_a_directory_that_does_not_exist_is_made) {
  EXPECT_TRUE(open_state(directory() / "for" / "us", sync_home, log()));
}

TEST_F(state_test, a_first_start_that_crashed_half_way_is_gone_on_with) {
  fs::create_directories(directory());
  for (const auto* name : {"LOG", "LOCK", "IDENTITY", "MANIFEST-000001", "000001.dbtmp"})
    std::ofstream{directory() / name};
  EXPECT_EQ(open()->read({"tokyo", 0}), std::nullopt);
}

TEST_F(state_test, another_process_has_it) {
  other_process holder{{"hold", directory()}};
  ASSERT_EQ(holder.line(), "open");
  const auto why = refusal();
  EXPECT_EQ(why.kind, failure_kind::refused);
  EXPECT_EQ(to_string(why), named() + " is in use by process " + std::to_string(holder.pid()) +
                                " (stop that process, or give each application and each replica a state directory of "
                                "its own)");
  holder.end();
  EXPECT_EQ(open()->read({"tokyo", 0}), std::nullopt);
}

TEST_F(state_test, this_process_has_it_and_keeps_it) {
  const auto state = open();
  const auto why = refusal();
  EXPECT_EQ(why.kind, failure_kind::refused);
  EXPECT_EQ(to_string(why), named() +
                                " is already open in this process (give each application and each replica a "
                                "state directory of its own)");
  other_process another{{"open", directory()}};
  EXPECT_EQ(another.line(), "refused: " + named() + " is in use by process " + std::to_string(::getpid()) +
                                " (stop that process, or give each application and each replica a state directory of "
                                "its own)");
}

TEST_F(state_test, another_application_or_home_is_refused) {
  open();
  const auto why = refusal({"audit", "home"});
  EXPECT_EQ(why.kind, failure_kind::refused);
  EXPECT_EQ(to_string(why), named() +
                                " belongs to application 'sync' with home 'home', not to 'audit' with home "
                                "'home' (give each application and each replica a state directory of its own)");
  EXPECT_EQ(refusal({"sync", "paris"}).text,
            named() + " belongs to application 'sync' with home 'home', not to 'sync' with home 'paris'");
  open();
}

TEST_F(state_test, a_newer_format_is_refused_whatever_it_holds) {
  open();
  rocksdb::DB* raw = nullptr;
  std::vector<rocksdb::ColumnFamilyHandle*> families;
  ASSERT_TRUE(
      rocksdb::DB::Open({}, directory(), {{"default", {}}, {"positions", {}}, {"seen", {}}}, &families, &raw).ok());
  std::unique_ptr<rocksdb::DB> db{raw};
  families.emplace_back();
  ASSERT_TRUE(db->CreateColumnFamily({}, "of the future", &families.back()).ok());
  ASSERT_TRUE(db->Put({}, "format", "2").ok());
  for (auto* family : families) db->DestroyColumnFamilyHandle(family);
  db.reset();

  const auto why = refusal();
  EXPECT_EQ(why.kind, failure_kind::refused);
  EXPECT_EQ(to_string(why), named() +
                                " has format 2, and this flow knows format 1 (run the version of flow that wrote "
                                "it, or move it away and start again: positions come back from the targets)");
}

TEST_F(state_test, a_folder_with_other_files_is_refused_and_left_alone) {
  fs::create_directories(directory());
  std::ofstream{directory() / "000007.log"} << "mine";
  const auto why = refusal();
  EXPECT_EQ(why.kind, failure_kind::refused);
  EXPECT_EQ(to_string(why), named() +
                                " holds files that are not flow's (choose an empty directory, or a path that "
                                "does not exist yet)");
  EXPECT_EQ(std::distance(fs::directory_iterator{directory()}, fs::directory_iterator{}), 1);
}

TEST_F(state_test, a_database_of_somebody_else_is_refused) {
  rocksdb::Options create;
  create.create_if_missing = true;
  rocksdb::DB* raw = nullptr;
  ASSERT_TRUE(rocksdb::DB::Open(create, directory(), &raw).ok());
  ASSERT_TRUE(raw->Put({}, "theirs", "1").ok());
  delete raw;
  const auto why = refusal();
  EXPECT_EQ(why.kind, failure_kind::refused);
  EXPECT_EQ(to_string(why), named() +
                                " holds a RocksDB database that is not flow's (choose an empty directory, or a "
                                "path that does not exist yet)");
}

TEST_F(state_test, a_file_in_its_place_is_refused) {
  std::ofstream{directory()} << "a file";
  const auto why = refusal();
  EXPECT_EQ(why.kind, failure_kind::refused);
  EXPECT_EQ(to_string(why), named() +
                                " is not a directory, or lies in something that is none (move that file away, or "
                                "choose another path)");
}

TEST_F(state_test, a_directory_without_rights_is_refused) {
  fs::create_directories(directory());
  fs::permissions(directory(), fs::perms::none);
  other_process nobody{{"open", directory(), "nobody"}};
  const auto user = std::to_string(::geteuid() == 0 ? 65534 : ::geteuid());
  EXPECT_EQ(nobody.line(), "refused: " + named() + " may not be read and written by this process (give it to user " +
                               user + " with all its files, or choose another one)");
  fs::permissions(directory(), fs::perms::owner_all);
}

TEST_F(state_test, files_without_rights_are_refused) {
  open();
  fs::permissions(directory(), fs::perms::all);
  for (const auto& entry : fs::directory_iterator{directory()}) fs::permissions(entry.path(), fs::perms::none);
  other_process nobody{{"open", directory(), "nobody"}};
  const auto user = std::to_string(::geteuid() == 0 ? 65534 : ::geteuid());
  EXPECT_EQ(nobody.line(), "refused: " + named() + " may not be read and written by this process (give it to user " +
                               user + " with all its files, or choose another one)");
}

TEST_F(state_test, what_nobody_foresaw_is_said_with_what_to_do_before_the_next_start) {
  const auto why = database::open_state("/proc/no/such/place", {"sync", "home"}, log()).error();
  EXPECT_EQ(to_string(why),
            "the state directory '/proc/no/such/place' cannot be used: No such file or directory (mend that, or choose "
            "another directory, and start again)");
}

std::vector<std::byte> some_bytes(std::size_t size) {
  std::vector<std::byte> made(size);
  for (std::size_t i = 0; i < size; ++i) made[i] = static_cast<std::byte>(i * 7 + i / 251);
  return made;
}

TEST_F(state_test, scratch_files_hold_what_is_written_and_are_seen_by_nobody) {
  auto state = open();
  const auto before = std::distance(fs::recursive_directory_iterator{directory()}, {});
  auto scratch = *state->open_scratch();
  state.reset();
  const auto content = some_bytes(100'000);
  ASSERT_TRUE(scratch->write(8192, content));
  EXPECT_LE(std::distance(fs::recursive_directory_iterator{directory()}, {}), before);
  std::vector<std::byte> found(1000);
  ASSERT_TRUE(scratch->read(8192 + 500, found));
  EXPECT_TRUE(std::ranges::equal(found, std::span{content}.subspan(500, found.size())));
  EXPECT_FALSE(scratch->read(8192 + content.size() - 1, found));
}

TEST_F(state_test, scratch_files_give_back_what_is_dropped) {
  const auto state = open();
  const auto scratch = *state->open_scratch();
  const auto content = some_bytes(4 << 20);
  ASSERT_TRUE(scratch->write(0, content));
  const auto blocks = [&] {
    for (const auto& each : fs::directory_iterator{"/proc/self/fd"}) {
      struct stat seen {};
      const auto name = fs::read_symlink(each.path()).string();
      if (name.starts_with(directory().string()) && name.ends_with("(deleted)") && ::stat(each.path().c_str(), &seen) == 0)
        return seen.st_blocks;
    }
    return blkcnt_t{-1};
  };
  const auto before = blocks();
  scratch->drop(1 << 20, 3 << 20);
  EXPECT_EQ((before - blocks()) * 512, 2 << 20);
  std::vector<std::byte> found(1 << 20);
  ASSERT_TRUE(scratch->read(3 << 20, found));
  EXPECT_TRUE(std::ranges::equal(found, std::span{content}.last(1 << 20)));
}

TEST_F(state_test, scratch_files_say_that_the_disk_is_full_and_go_on_once_there_is_room) {
  const auto state = open();
  const auto scratch = *state->open_scratch();
  const auto content = some_bytes(100'000);
  {
    const small_disk full{20'000};
    const auto written = scratch->write(0, content);
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().text, "no space is left for " + named());
  }
  EXPECT_TRUE(scratch->write(0, content));
}

TEST_F(state_test, a_full_disk_is_said_and_writing_goes_on_once_there_is_room) {
  const auto state = open();
  ASSERT_TRUE(state->write({{{"tokyo", 0}, {7, "here"}}}));
  const std::string big(100'000, 'p');
  {
    const small_disk full{20'000};
    for (int attempt = 0; attempt < 5; ++attempt) {
      const auto written = state->write({{{"tokyo", 0}, {8, big}}});
      ASSERT_FALSE(written);
      EXPECT_EQ(written.error().kind, failure_kind::retriable);
      EXPECT_EQ(to_string(written.error()),
                "no space is left for " + named() + " (make room on its disk or in the quota; it goes on by itself)");
    }
    EXPECT_EQ(state->read({"tokyo", 0}), (lane_state{7, "here"}));
  }
  ASSERT_TRUE(state->write({{{"tokyo", 0}, {8, big}}, {{"tokyo", 1}, {9, "there"}}}));
  EXPECT_EQ(state->read({"tokyo", 0}), (lane_state{8, big}));
  EXPECT_EQ(state->read({"tokyo", 1}), (lane_state{9, "there"}));
}

TEST_F(state_test, a_directory_that_is_made_anew_while_it_is_used_goes_by_the_same_key) {
  const auto page = page_of("seen", {"orders", 0}, 20);
  std::string key;
  {
    const auto state = open();
    key = state->dedup_key();
    fs::remove_all(directory());
    {
      const small_disk full{0};
      ASSERT_FALSE(state->write({{{"tokyo", 0}, {7, std::string(100'000, 'p')}}}));
    }
    ASSERT_TRUE(state->remember({page}, {}));
  }
  EXPECT_EQ(look(directory(), "seen"), std::vector{page});
  EXPECT_EQ(open()->dedup_key(), key);
}

TEST_F(state_test, a_disk_without_any_room_is_said_and_opening_works_once_there_is_some) {
  ASSERT_TRUE(open()->write({{{"tokyo", 0}, {7, "here"}}}));
  auto state = open();
  {
    const small_disk full{0};
    ASSERT_FALSE(state->write({{{"tokyo", 0}, {8, "there"}}}));
    const auto found = state->read({"tokyo", 0});
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().kind, failure_kind::retriable);
    EXPECT_EQ(found.error().text, "no space is left for " + named());
    state.reset();
    EXPECT_EQ(to_string(refusal()), found.error().text + " (mend that, or choose another directory, and start again)");
  }
  EXPECT_EQ(open()->read({"tokyo", 0}), (lane_state{7, "here"}));
}

TEST_F(state_test, a_damaged_table_is_set_aside) {
  write_much(*open());
  open();
  ASSERT_GT(damage(directory(), ".sst"), 0);
  expect_quarantine();
}

TEST_F(state_test, a_damaged_manifest_is_set_aside) {
  write_much(*open());
  ASSERT_EQ(damage(directory(), "MANIFEST"), 1);
  expect_quarantine();
}

TEST_F(state_test, a_missing_table_is_found) {
  write_much(*open());
  open();
  for (const auto& entry : fs::directory_iterator{directory()})
    if (entry.path().extension() == ".sst") fs::remove(entry.path());
  expect_quarantine();
}

TEST_F(state_test, a_missing_manifest_is_found) {
  open();
  for (const auto& entry : fs::directory_iterator{directory()})
    if (entry.path().filename().string().starts_with("MANIFEST")) fs::remove(entry.path());
  expect_quarantine();
}

TEST_F(state_test, what_begins_behind_damage_is_kept_and_may_be_damaged_again) {
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(open()->write({{{"tokyo", 0}, {7, "here"}}}));
    EXPECT_EQ(open()->read({"tokyo", 0}), (lane_state{7, "here"}));
    ASSERT_EQ(damage(directory(), "MANIFEST"), 1);
    expect_quarantine();
  }
}

TEST_F(state_test, workers_write_beside_each_other) {
  const auto state = open();
  const auto work = [&](std::int32_t lane) {
    for (std::int64_t sequence = 1; sequence <= 500; ++sequence)
      EXPECT_TRUE(state->write({{{"tokyo", lane}, {sequence, "here"}}}));
    EXPECT_EQ(state->read({"tokyo", lane}), (lane_state{500, "here"}));
  };
  std::vector<std::jthread> workers;
  for (std::int32_t lane = 0; lane < 4; ++lane) workers.emplace_back(work, lane);
}

TEST_F(state_test, several_applications_share_a_handful_of_threads) {
  const int before = threads();
  std::vector<std::unique_ptr<port::state>> states;
  for (const auto* name : {"a", "b", "c", "d", "e"}) {
    auto state = open_state(directory() / name, {name, "home"}, log());
    ASSERT_TRUE(state);
    write_much(**state);
    states.push_back(*std::move(state));
  }
  EXPECT_LE(threads() - before, 5);
}

}  // namespace
}  // namespace flow::database
