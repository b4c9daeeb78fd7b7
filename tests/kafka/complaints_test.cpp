#include "complaints.hpp"

#include <gmock/gmock.h>

#include <string>
#include <vector>

namespace flow::kafka {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

class complaint : public ::testing::Test {
 protected:
  void say(const std::string& text) { desk_.say(severity::warn, text, text); }

  std::vector<std::string> lines_;
  complaints desk_{
      "tokyo", {"pass and word", "pass"}, [this](severity, std::string_view line) { lines_.emplace_back(line); }};
};

TEST_F(complaint, is_said_once_for_as_long_as_its_cause_lasts) {
  for (int i = 0; i < 100; ++i) say("connect to broker failed after " + std::to_string(i) + " ms");
  EXPECT_THAT(lines_, ElementsAre("tokyo: connect to broker failed after 0 ms"));
}

TEST_F(complaint, of_another_cause_is_said_too) {
  say("connection refused");
  say("no such host");
  say("connection refused");
  EXPECT_THAT(lines_, SizeIs(2));
}

TEST_F(complaint, holds_no_secret) {
  say("cannot log in with pass and word, nor with pass");
  EXPECT_THAT(lines_, ElementsAre(AllOf(HasSubstr("***"), Not(HasSubstr("pass")), Not(HasSubstr("word")))));
}

TEST_F(complaint, of_ever_new_causes_does_not_pile_up) {
  for (char a = 'a'; a <= 'z'; ++a)
    for (char b = 'a'; b <= 'z'; ++b) say({a, b, a});
  EXPECT_THAT(lines_, SizeIs(26 * 26));
}

}  // namespace
}  // namespace flow::kafka
