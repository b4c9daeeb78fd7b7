#include "suite.hpp"

namespace flow::contract {
namespace {

/// Every other case checks that a reply runs once and not inside the call; these are about objects that are gone.
class replies : public suite {
 protected:
  /// A reply that must not run.
  auto never() {
    return [](const auto&) { ADD_FAILURE() << "a reply ran after the object that was asked was destroyed"; };
  }

  /// Time enough for an answer to those who still wait: others get theirs, one after the other.
  void others_are_answered() {
    for (int i = 0; i < 3; ++i) {
      must(list_topics());
      write_committed(*this, where_, numbered(0, 1));
    }
  }

  const topic_partition where_{fresh_topic(), 0};
};

TEST_F(replies, of_a_destroyed_cluster_never_run) {
  auto gone = in().connect("gone");
  gone->identify(never());
  gone->list_topics(never());
  gone->describe_topics({where_.topic}, never());
  gone->create_topics({topic(unique("topic"))}, never());
  gone->find_offsets({where_}, {}, never());
  gone->read_range(where_, 0, 0, isolation::read_committed, 5s, never());
  gone->group_offsets(unique("group"), {where_}, isolation::read_committed, 5s, never());
  gone->group_members(unique("group"), never());
  gone->fence(unique("writer"), never());
  gone.reset();
  others_are_answered();
}

TEST_F(replies, of_a_destroyed_producer_never_run) {
  auto gone = cluster().open_producer({unique("writer")});
  gone->init(never());
  gone->begin();
  gone->send(packed(gone->topic(where_.topic), 0, numbered(0, 10)));
  gone->commit(never());
  gone.reset();
  others_are_answered();
}

TEST_F(replies, of_a_destroyed_member_never_run) {
  auto gone = cluster().join(joining(unique("group"), where_.topic), in().wake());
  gone->leave(never());
  gone.reset();
  others_are_answered();
}

TEST_F(replies, that_are_on_their_way_when_their_object_goes_never_run) {
  // The letter may be in the mailbox already: what counts is when it is opened.
  for (int i = 0; i < 10; ++i) {
    auto gone = in().connect("gone");
    bool answered = false;
    cluster().list_topics([&](const auto&) { gone.reset(), answered = true; });
    gone->list_topics([&](const auto&) { EXPECT_FALSE(answered); });
    eventually([&] { return answered; }, "the answer");
  }
  others_are_answered();
}

TEST_F(replies, may_ask_the_next_question) {
  std::vector<std::int64_t> found;
  std::function<void()> ask = [&] {
    cluster().find_offsets({where_}, {}, [&](const result<std::vector<std::int64_t>>& answer) {
      found.push_back(must(answer).at(0));
      if (found.size() < 3) ask();
    });
  };
  ask();
  EXPECT_TRUE(found.empty()) << "a reply ran inside the call that asked";
  eventually([&] { return found.size() == 3; }, "three answers");
}

TEST_F(replies, may_end_the_object_that_was_asked) {
  auto one = cluster().open_producer({unique("writer")});
  one->init([&](const result<void>&) { one.reset(); });
  eventually([&] { return one == nullptr; }, "the reply");
  others_are_answered();
}

TEST_F(replies, come_to_many_questions_at_once) {
  int answered = 0;
  for (int i = 0; i < 50; ++i) {
    cluster().find_offsets({where_}, {}, [&](const auto& answer) { must(answer), ++answered; });
    cluster().group_members(unique("group"), [&](const auto& answer) { must(answer), ++answered; });
  }
  eventually([&] { return answered == 100; }, "all answers");
}

}  // namespace
}  // namespace flow::contract
