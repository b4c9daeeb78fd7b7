#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <curl/curl.h>

namespace flow::http {

/// What came of a request.
struct reply {
  int status = 0;                               ///< 0: there was no answer
  std::string problem{};                        ///< why not
  std::optional<std::chrono::seconds> after{};  ///< Retry-After
  std::string body{};                           ///< as far as it is kept
  bool is_cut = false;                          ///< there was more of it
};

struct request {
  std::string kept{};                  ///< the body, unless somebody else keeps it
  std::string_view body{};             ///< alive until `done` is called
  std::vector<std::string> headers{};  ///< "Name: value"
  std::function<void(reply)> done{};   ///< called on the thread of the exchanges
};

/// POST requests to one URL, side by side on one thread, over connections that are kept.
class exchanges {
 public:
  struct options {
    std::string url;
    std::chrono::milliseconds connect_timeout{};
    std::chrono::milliseconds timeout{};
    std::string ca_file{};
    int most = 1;                    ///< at once
    std::size_t largest_answer = 0;  ///< bytes of a body that are kept; what is more is not
  };
  explicit exchanges(options how);
  /// Breaks off what is under way, and says nothing about it.
  ~exchanges();
  exchanges(const exchanges&) = delete;
  exchanges& operator=(const exchanges&) = delete;

  /// From any thread.
  void add(request what);

 private:
  template <auto Free>
  struct frees {
    template <typename T>
    void operator()(T* what) const {
      Free(what);
    }
  };
  using easy_ptr = std::unique_ptr<CURL, frees<curl_easy_cleanup>>;
  using list_ptr = std::unique_ptr<curl_slist, frees<curl_slist_free_all>>;
  struct exchange {
    request what;
    std::size_t largest_answer;
    reply said{};
    easy_ptr handle;
    list_ptr headers;
  };

  static std::size_t take(char* part, std::size_t size, std::size_t count, void* by);

  void run();
  void begin(request what);
  void finish(CURL* handle, CURLcode how);
  easy_ptr open() const;

  const options how_;
  std::unique_ptr<CURLM, frees<curl_multi_cleanup>> multi_;
  std::mutex mutex_;
  std::vector<request> waiting_;
  bool stopping_ = false;
  std::vector<std::unique_ptr<exchange>> under_way_;
  std::vector<easy_ptr> spare_;
  std::thread thread_;
};

}  // namespace flow::http
