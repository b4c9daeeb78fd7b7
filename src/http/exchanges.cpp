#include "exchanges.hpp"

#include <pthread.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace flow::http {
namespace {

using namespace std::chrono_literals;

// A wait ends when there is something to do; without anything it does not matter.
constexpr auto longest_wait = 60s;

std::optional<std::chrono::seconds> retry_after(CURL* handle) {
  curl_off_t seconds = 0;
  if (curl_easy_getinfo(handle, CURLINFO_RETRY_AFTER, &seconds) != CURLE_OK || seconds <= 0) return std::nullopt;
  return std::chrono::seconds{seconds};
}

}  // namespace

exchanges::exchanges(options how) : how_{std::move(how)} {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  multi_.reset(ready == CURLE_OK ? curl_multi_init() : nullptr);
  if (!multi_) throw std::runtime_error{"flow: libcurl cannot be started"};
  curl_multi_setopt(multi_.get(), CURLMOPT_MAX_HOST_CONNECTIONS, static_cast<long>(how_.most));
  curl_multi_setopt(multi_.get(), CURLMOPT_MAXCONNECTS, static_cast<long>(how_.most));
  thread_ = std::thread{[this] { run(); }};
}

exchanges::~exchanges() {
  {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
  }
  curl_multi_wakeup(multi_.get());
  thread_.join();
  for (const auto& each : under_way_) curl_multi_remove_handle(multi_.get(), each->handle.get());
}

void exchanges::add(request what) {
  {
    const std::lock_guard lock{mutex_};
    waiting_.push_back(std::move(what));
  }
  curl_multi_wakeup(multi_.get());
}

void exchanges::run() {
  pthread_setname_np(pthread_self(), "flow-http");
  for (;;) {
    std::vector<request> fresh;
    {
      const std::lock_guard lock{mutex_};
      if (stopping_) return;
      fresh.swap(waiting_);
    }
    for (auto& each : fresh) begin(std::move(each));
    int running = 0;
    curl_multi_perform(multi_.get(), &running);
    int left = 0;
    bool finished = false;
    while (const CURLMsg* told = curl_multi_info_read(multi_.get(), &left)) {
      if (told->msg != CURLMSG_DONE) continue;
      finish(told->easy_handle, told->data.result);
      finished = true;
    }
    if (finished) continue;
    constexpr auto limit = std::chrono::duration_cast<std::chrono::milliseconds>(longest_wait).count();
    curl_multi_poll(multi_.get(), nullptr, 0, static_cast<int>(limit), nullptr);
  }
}

std::size_t exchanges::take(char* part, std::size_t size, std::size_t count, void* by) {
  auto& of = *static_cast<exchange*>(by);
  const auto kept = std::min(size * count, of.largest_answer - of.said.body.size());
  of.said.body.append(part, kept);
  of.said.is_cut = of.said.is_cut || kept < size * count;
  return size * count;
}

exchanges::easy_ptr exchanges::open() const {
  easy_ptr made{curl_easy_init()};
  CURL* const handle = made.get();
  if (!handle) return made;
  curl_easy_setopt(handle, CURLOPT_URL, how_.url.c_str());
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(handle, CURLOPT_POST, 1L);
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(how_.connect_timeout.count()));
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(how_.timeout.count()));
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, take);
  curl_easy_setopt(handle, CURLOPT_USERAGENT, "flow");
  if (!how_.ca_file.empty()) curl_easy_setopt(handle, CURLOPT_CAINFO, how_.ca_file.c_str());
  return made;
}

void exchanges::begin(request what) {
  auto made = std::make_unique<exchange>(
      exchange{.what = std::move(what), .largest_answer = how_.largest_answer, .handle = {}, .headers = {}});
  if (spare_.empty()) {
    made->handle = open();
  } else {
    made->handle = std::move(spare_.back());
    spare_.pop_back();
  }
  CURL* const handle = made->handle.get();
  if (!handle) return made->what.done({.problem = "there is no memory for a request"});
  // Without this a long body waits a second for a server that does not know the question.
  made->what.headers.emplace_back("Expect:");
  for (const auto& each : made->what.headers) {
    curl_slist* const longer = curl_slist_append(made->headers.get(), each.c_str());
    if (!made->headers) made->headers.reset(longer);
  }
  const auto body = made->what.kept.empty() ? made->what.body : std::string_view{made->what.kept};
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, made.get());
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, made->headers.get());
  curl_easy_setopt(handle, CURLOPT_POSTFIELDS, body.empty() ? "" : body.data());
  curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  curl_multi_add_handle(multi_.get(), handle);
  under_way_.push_back(std::move(made));
}

void exchanges::finish(CURL* handle, CURLcode how) {
  const auto at = std::ranges::find(under_way_, handle, [](const auto& each) { return each->handle.get(); });
  const auto over = std::move(*at);
  under_way_.erase(at);
  curl_multi_remove_handle(multi_.get(), handle);
  auto& said = over->said;
  if (how == CURLE_OK) {
    long status = 0;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    said.status = static_cast<int>(status);
    said.after = retry_after(handle);
  } else {
    said.problem = curl_easy_strerror(how);
  }
  spare_.push_back(std::move(over->handle));
  over->what.done(std::move(said));
}

}  // namespace flow::http
