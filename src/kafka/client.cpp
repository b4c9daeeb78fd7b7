#include "client.hpp"

#include <pthread.h>

#include <algorithm>
#include <array>
#include <utility>

#include "failures.hpp"

namespace flow::kafka {
namespace {

constexpr std::int16_t offset_fetch_key = 9;
constexpr std::int16_t end_txn_key = 26;
constexpr std::int16_t txn_offset_commit_key = 28;

wiretap& tap_of(void* opaque) {
  return *static_cast<wiretap*>(opaque);
}

rd_kafka_resp_err_t on_request_sent(rd_kafka_t*, int, const char*, std::int32_t, std::int16_t key, std::int16_t version,
                                    std::int32_t, std::size_t, void* opaque) {
  wiretap& tap = tap_of(opaque);
  if (key == end_txn_key) ++tap.end_requests;
  if (key == txn_offset_commit_key && version < 3) tap.old_offset_commits = true;
  if (key == offset_fetch_key && version < 7) tap.old_offset_fetches = true;
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t on_new(rd_kafka_t* handle, const rd_kafka_conf_t*, void* opaque, char*, std::size_t) {
  return rd_kafka_interceptor_add_on_request_sent(handle, "flow", on_request_sent, opaque);
}

void on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
  const auto& delivered = tap_of(opaque).delivered;
  if (delivered) delivered(*message);
}

void on_error(rd_kafka_t*, int code, const char* why, void* opaque) {
  tap_of(opaque).errored(static_cast<rd_kafka_resp_err_t>(code), why);
}

severity severity_of(int level) {
  if (level <= 3) return severity::error;
  if (level <= 4) return severity::warn;
  return level <= 6 ? severity::info : severity::debug;
}

/// Whoever asked for something gets an answer, and connections come and go.
bool is_said_elsewhere(std::string_view facility) {
  constexpr std::array facilities{"FAIL", "ERROR", "REQTMOUT", "GETPID", "TXNERR", "FATAL", "TERMINATE"};
  return std::ranges::find(facilities, facility) != facilities.end();
}

void on_log(const rd_kafka_t* handle, int level, const char* facility, const char* text) {
  // One set of properties configures consumers and producers, so each is told about the other's.
  if (std::string_view{text}.find("will be ignored by this") != std::string_view::npos) return;
  // That is ours to know.
  if (std::string_view{text}.find("enable.gapless.guarantee is experimental") != std::string_view::npos) return;
  void* opaque = rd_kafka_opaque(handle);
  const severity how = is_said_elsewhere(facility) ? severity::debug : severity_of(level);
  if (opaque) tap_of(opaque).log->say(how, text);
}

}  // namespace

std::string thread_name(const std::string& cluster, const std::string& what) {
  constexpr std::size_t longest = 15;
  const std::size_t room = longest - std::min(longest, 6 + what.size());
  return "flow-" + cluster.substr(0, room) + "-" + what;
}

void name_this_thread(const std::string& name) {
  pthread_setname_np(pthread_self(), name.c_str());
}

closer::~closer() {
  {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
    changed_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void closer::close(rd_kafka_t* handle, std::unique_ptr<wiretap> tap) {
  const std::lock_guard lock{mutex_};
  waiting_.push_back({handle, std::move(tap)});
  if (!thread_.joinable()) thread_ = std::thread{[this] { run(); }};
  changed_.notify_one();
}

void closer::run() {
  name_this_thread(thread_name(cluster_, "end"));
  std::unique_lock lock{mutex_};
  while (true) {
    changed_.wait(lock, [&] { return stopping_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    closing next = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    if (rd_kafka_type(next.handle) == RD_KAFKA_PRODUCER)
      rd_kafka_purge(next.handle, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
    rd_kafka_destroy_flags(next.handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    next.tap.reset();
    lock.lock();
  }
}

result<std::shared_ptr<client>> client::open(const context& in, rd_kafka_type_t type, conf_ptr conf,
                                             std::unique_ptr<wiretap> tap) {
  tap->log = in.log;
  rd_kafka_conf_set_opaque(conf.get(), tap.get());
  rd_kafka_conf_set_log_cb(conf.get(), on_log);
  rd_kafka_conf_interceptor_add_on_new(conf.get(), "flow", on_new, tap.get());
  if (tap->errored) rd_kafka_conf_set_error_cb(conf.get(), on_error);
  // Without this callback librdkafka commits transactions a second late.
  if (type == RD_KAFKA_PRODUCER) rd_kafka_conf_set_dr_msg_cb(conf.get(), on_delivery);
  std::array<char, 512> why{};
  rd_kafka_t* handle = rd_kafka_new(type, conf.get(), why.data(), why.size());
  // The handle owns it from here on. One that could not be made has freed the interceptors in it, which to destroy the
  // rest would free again (librdkafka 2.0.2).
  conf.release();  // NOLINT(bugprone-unused-return-value)
  if (!handle)
    return fail(failure_kind::fatal, "cluster " + in.to.name + ": " + in.log->masked(why.data()),
                "correct the properties of this cluster");
  return std::make_shared<client>(in, handle, std::move(tap));
}

client::client(const context& in, rd_kafka_t* handle, std::unique_ptr<wiretap> tap)
    : cluster_{in.to.name}, servers_{servers_of(in.to)}, closing_{in.closing}, handle_{handle}, tap_{std::move(tap)} {}

client::~client() {
  closing_->close(handle_, std::move(tap_));
}

std::optional<failure> client::fatal(std::string_view what) const {
  std::array<char, 512> why{};
  const rd_kafka_resp_err_t code = rd_kafka_fatal_error(handle_, why.data(), why.size());
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return std::nullopt;
  failure made = failure_of(code, what, why.data());
  if (made.kind != failure_kind::fenced && made.kind != failure_kind::fenced_member) made.kind = failure_kind::fatal;
  return made;
}

failure client::unreached(rd_kafka_resp_err_t code) const {
  if (!heals(kind_of(code))) return failure_of(code, "cluster " + cluster_);
  return {kind_of(code), "cluster " + cluster_ + " cannot be reached at " + servers_,
          std::string{remedy_for(RD_KAFKA_RESP_ERR__TRANSPORT)}};
}

void client::retire_after(std::chrono::milliseconds time) {
  retires_ = std::min(retires_, std::chrono::steady_clock::now() + time);
}

}  // namespace flow::kafka
