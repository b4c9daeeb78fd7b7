#include "server.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

extern char** environ;

namespace flow {
namespace {

std::string from_hex(const std::string& digits) {
  std::string text;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2)
    text += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
  return text;
}

std::map<std::string, std::string> headers_in(const std::string& text) {
  std::map<std::string, std::string> all;
  std::istringstream lines{text};
  for (std::string line; std::getline(lines, line);) {
    const auto colon = line.find(": ");
    std::string name = line.substr(0, colon);
    std::ranges::transform(name, name.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    all[name] = line.substr(colon + 2);
  }
  return all;
}

}  // namespace

http_server::http_server(std::string tls) : tls_{std::move(tls)} {
  log_ = std::filesystem::temp_directory_path() / "flow-http-XXXXXX";
  const int file = mkstemp(log_.data());
  if (file < 0) throw std::runtime_error{"no temporary file can be made"};
  close(file);
  start();
}

http_server::~http_server() {
  kill();
  std::filesystem::remove(log_);
}

void http_server::start() {
  std::array<int, 2> to{}, from{};
  if (pipe2(to.data(), O_CLOEXEC) != 0 || pipe2(from.data(), O_CLOEXEC) != 0) throw std::runtime_error{"no pipes"};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, to[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, from[1], STDOUT_FILENO);
  std::vector<std::string> words{FLOW_PYTHON, FLOW_HTTP_SERVER, "--port", std::to_string(port_), "--log", log_};
  if (!tls_.empty()) words.insert(words.end(), {"--tls", tls_});
  std::vector<char*> arguments;
  for (auto& each : words) arguments.push_back(each.data());
  arguments.push_back(nullptr);
  const int failed = posix_spawn(&process_, FLOW_PYTHON, &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(to[0]);
  close(from[1]);
  in_ = fdopen(to[1], "w");
  out_ = fdopen(from[0], "r");
  if (failed != 0) throw std::runtime_error{"server.py cannot be started"};
  port_ = std::stoi(line());
}

void http_server::kill() {
  if (process_ < 0) return;
  ::kill(process_, SIGKILL);
  waitpid(process_, nullptr, 0);
  process_ = -1;
  std::fclose(in_);
  std::fclose(out_);
}

std::string http_server::url(const std::string& path) const {
  return (tls_.empty() ? "http://127.0.0.1:" : "https://127.0.0.1:") + std::to_string(port_) + path;
}

void http_server::script(const std::string& path, const std::string& actions) {
  std::fprintf(in_, "%s %s\n", path.c_str(), actions.c_str());
  std::fflush(in_);
  line();
}

std::vector<got> http_server::requests() const {
  std::vector<got> all;
  std::ifstream log{log_};
  std::string one;
  // What was not written to its end was not answered.
  while (std::getline(log, one) && !log.eof()) {
    std::istringstream fields{one};
    std::string path, connection, headers, body;
    std::getline(fields, path, '\t');
    std::getline(fields, connection, '\t');
    std::getline(fields, headers, '\t');
    std::getline(fields, body, '\t');
    all.push_back({path, connection, headers_in(from_hex(headers)), from_hex(body)});
  }
  return all;
}

std::string http_server::line() {
  std::string text;
  for (int c = std::fgetc(out_); c != '\n'; c = std::fgetc(out_)) {
    if (c == EOF) throw std::runtime_error{"server.py has ended"};
    text += static_cast<char>(c);
  }
  return text;
}

}  // namespace flow
