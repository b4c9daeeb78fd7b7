#pragma once

#include <cstdint>
#include <cstdio>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace flow {

/// A request as the server got it. Names of headers in lower case.
struct got {
  std::string path;
  std::string connection;
  std::map<std::string, std::string> headers;
  std::string body;
};

/// server.py in a process of its own.
class http_server {
 public:
  explicit http_server(std::string tls = {});
  ~http_server();
  http_server(const http_server&) = delete;
  http_server& operator=(const http_server&) = delete;

  std::string url(const std::string& path) const;
  /// What the next requests to `path` meet; the last action stays.
  void script(const std::string& path, const std::string& actions);
  /// Everything that has ever come.
  std::vector<got> requests() const;

  void kill();
  /// On the same port, with no script.
  void start();

 private:
  std::string line();

  std::string tls_;
  std::string log_;
  int port_ = 0;
  pid_t process_ = -1;
  std::FILE* in_ = nullptr;
  std::FILE* out_ = nullptr;
};

}  // namespace flow
