#include <flow/flow.hpp>
#include <flow/testing/drive.hpp>

int main() {
  auto stage = flow::testing::drive<int, std::string>(
      [](auto lines) { return lines | flow::filter([](const std::string& line) { return !line.empty(); }); });
  stage.push(1, "");
  stage.push(2, "a line");
  return stage.take().size() == 1 ? 0 : 1;
}
