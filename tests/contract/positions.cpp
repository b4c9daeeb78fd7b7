#include "suite.hpp"

namespace flow::contract {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Not;

/// A group's offsets inside of transactions: what a lane's ownership rests on.
class positions : public suite {
 protected:
  positions() : topic_{fresh_topic(2)}, group_{unique("group")}, where_{topic_, 0} {}

  port::member_options joining(milliseconds max_poll_interval = 30s) {
    auto options = contract::joining(group_, topic_);
    options.max_poll_interval = max_poll_interval;
    return options;
  }

  void expect_refused(writer& one, const port::membership& as, failure_kind kind) {
    one.begin();
    one.send(where_, {{.value = "refused"}});
    EXPECT_THAT(one.send_offsets({{where_, 66, "refused"}}, as), fails_with(kind));
    EXPECT_THAT(one.commit(), fails()) << "a transaction whose offsets were refused";
    EXPECT_THAT(one.abort(), succeeds());
    EXPECT_THAT(values(everything(where_)), Not(Contains("refused")));
  }

  void expect_accepted(writer& one, const port::membership& as) {
    one.begin();
    EXPECT_THAT(one.send_offsets({{where_, 77, "accepted"}}, as), succeeds());
    EXPECT_THAT(one.commit(), succeeds());
    EXPECT_EQ(group_offset(group_, where_), (port::group_offset{where_, 77, "accepted"}));
  }

  const std::string topic_;
  const std::string group_;
  const topic_partition where_;
};

TEST_F(positions, that_were_never_committed_are_none) {
  const topic_partition other{topic_, 1};
  EXPECT_THAT(must(group_offsets(group_, {where_, other})),
              ElementsAre(port::group_offset{where_, -1, ""}, port::group_offset{other, -1, ""}));
  EXPECT_EQ(group_offset(group_, where_, isolation::read_uncommitted).offset, -1);
}

TEST_F(positions, are_stored_with_the_commit_and_keep_their_metadata) {
  participant one{*this, joining()};
  const auto as = one.until_assigned(2);
  writer with{*this, unique("writer")};
  with.begin();
  with.send(where_, numbered(0, 1));
  must(with.send_offsets({{where_, 41, "sequence=7"}}, as));
  EXPECT_EQ(group_offset(group_, where_, isolation::read_uncommitted).offset, -1);
  must(with.commit());
  EXPECT_EQ(group_offset(group_, where_), (port::group_offset{where_, 41, "sequence=7"}));
  EXPECT_EQ(group_offset(group_, {topic_, 1}).offset, -1);
  EXPECT_EQ(everything(where_), numbered(0, 1));

  with.begin();
  must(with.send_offsets({{where_, 42, ""}, {{topic_, 1}, 0, "the first"}}, as));
  must(with.commit());
  EXPECT_THAT(must(group_offsets(group_, {{topic_, 1}, where_})),
              ElementsAre(port::group_offset{{topic_, 1}, 0, "the first"}, port::group_offset{where_, 42, ""}));
}

TEST_F(positions, are_sent_beside_the_records) {
  participant one{*this, joining()};
  const auto as = one.until_assigned(2);
  writer with{*this, unique("writer")};
  bool sent = false;
  with.begin();
  with.send(where_, numbered(0, 500));
  with.port().send_offsets({{where_, 500, "first"}}, as,
                           [&](const result<void>& answer) { sent = answer.has_value(); });
  with.send(where_, numbered(500, 600));
  with.port().send_offsets({{where_, 600, "second"}}, as, [](const result<void>& answer) { EXPECT_TRUE(answer); });
  must(with.commit());
  EXPECT_TRUE(sent);
  EXPECT_EQ(group_offset(group_, where_), (port::group_offset{where_, 600, "second"}));
  EXPECT_EQ(everything(where_), numbered(0, 600));
}

TEST_F(positions, are_dropped_by_an_abort) {
  participant one{*this, joining()};
  const auto as = one.until_assigned(2);
  writer with{*this, unique("writer")};
  for (const std::int64_t offset : {1, 2}) {
    with.begin();
    must(with.send_offsets({{where_, offset, ""}}, as));
    if (offset == 1) {
      must(with.commit());
    } else {
      must(with.abort());
    }
  }
  EXPECT_EQ(group_offset(group_, where_).offset, 1);
}

TEST_F(positions, that_are_undecided_are_not_none) {
  participant one{*this, joining()};
  const auto as = one.until_assigned(2);
  writer with{*this, unique("writer")};
  with.begin();
  must(with.send_offsets({{where_, 1, ""}}, as));
  EXPECT_THAT(group_offsets(group_, {where_}, isolation::read_committed, 1s), fails_with(failure_kind::timed_out));
  EXPECT_EQ(group_offset(group_, where_, isolation::read_uncommitted).offset, -1) << "none has been decided yet";
  must(with.commit());
  EXPECT_EQ(group_offset(group_, where_).offset, 1);

  with.begin();
  must(with.send_offsets({{where_, 2, ""}}, as));
  EXPECT_THAT(group_offsets(group_, {where_}, isolation::read_committed, 1s), fails_with(failure_kind::timed_out));
  EXPECT_EQ(group_offset(group_, where_, isolation::read_uncommitted).offset, 1) << "the last one decided";
  EXPECT_EQ(group_offset(group_, {topic_, 1}).offset, -1) << "the transaction does not hold this one";
  must(with.abort());
  EXPECT_EQ(group_offset(group_, where_).offset, 1);
}

TEST_F(positions, are_waited_for_while_a_transaction_holds_them) {
  participant one{*this, joining()};
  const auto as = one.until_assigned(2);
  writer with{*this, unique("writer")};
  with.begin();
  must(with.send_offsets({{where_, 5, ""}}, as));
  std::optional<result<std::vector<port::group_offset>>> answer;
  cluster().group_offsets(group_, {where_}, isolation::read_committed, 20s, [&](auto got) { answer = std::move(got); });
  must(with.commit());
  eventually([&] { return answer.has_value(); }, "the decided offset");
  EXPECT_EQ(must(*answer).at(0).offset, 5);
}

TEST_F(positions, of_two_groups_are_apart) {
  participant one{*this, joining()};
  const auto as = one.until_assigned(2);
  writer with{*this, unique("writer")};
  expect_accepted(with, as);
  EXPECT_EQ(group_offset(unique("group"), where_).offset, -1);
}

TEST_F(positions, that_have_expired_are_none) {
  participant one{*this, joining()};
  const auto as = one.until_assigned(2);
  writer with{*this, unique("writer")};
  expect_accepted(with, as);
  must(one.leave());
  in().expire_group_offset(group_, where_);
  EXPECT_EQ(group_offset(group_, where_), (port::group_offset{where_, -1, ""}));
}

// ---- who may write them

TEST_F(positions, are_refused_without_a_valid_membership) {
  writer with{*this, unique("writer")};
  expect_refused(with, {group_, -1, "", ""}, failure_kind::lost_member);
  expect_refused(with, {group_, 3, "", ""}, failure_kind::lost_member);
  expect_refused(with, {group_, -1, "somebody", ""}, failure_kind::lost_member);
  EXPECT_EQ(group_offset(group_, where_).offset, -1);
}

TEST_F(positions, are_refused_of_a_member_that_the_group_does_not_know) {
  participant one{*this, joining()};
  auto as = one.until_assigned(2);
  as.member_id = "somebody-else";
  writer with{*this, unique("writer")};
  expect_refused(with, as, failure_kind::lost_member);
}

TEST_F(positions, are_refused_once_the_group_has_moved_on) {
  participant one{*this, joining()};
  const auto before = one.until_assigned(2);
  participant two{*this, joining()};
  two.until_assigned(1);
  const auto now = one.until_assigned(1);
  EXPECT_GT(now.generation, before.generation);
  writer with{*this, unique("writer")};
  expect_refused(with, before, failure_kind::lost_member);
  expect_accepted(with, now);
}

TEST_F(positions, are_refused_of_a_member_that_was_lost_and_taken_when_it_is_back) {
  participant one{*this, joining(3s)};
  const auto before = one.until_assigned(2);
  one.pause();
  ask_until([&] { return must(group_members(group_)).empty(); }, "the group to give the member up");
  writer with{*this, unique("writer")};
  expect_refused(with, before, failure_kind::lost_member);
  one.resume();
  eventually([&] { return one.saw(port::group_event::kind::lost); }, "the member to learn that it is lost");
  const auto now = one.until_assigned(2);
  EXPECT_NE(now, before);
  expect_refused(with, before, failure_kind::lost_member);
  expect_accepted(with, now);
}

TEST_F(positions, of_a_static_member_are_refused_once_its_instance_runs_elsewhere) {
  auto options = joining();
  options.instance_id = unique("instance");
  participant old{*this, options};
  const auto before = old.until_assigned(2);
  participant twin{*this, options};
  const auto now = twin.until_assigned(2);
  EXPECT_NE(now.member_id, before.member_id);
  writer with{*this, unique("writer")};
  expect_refused(with, before, failure_kind::fenced_member);
  expect_accepted(with, now);
}

TEST_F(positions, sent_before_the_lanes_are_released_are_committed) {
  participant one{*this, joining()};
  one.hold();
  const auto as = one.until_assigned(2);
  writer with{*this, unique("writer")};
  with.begin();
  with.send(where_, numbered(0, 1));
  must(with.send_offsets({{where_, 10, ""}}, as));

  participant two{*this, joining()};
  eventually([&] { return one.saw(port::group_event::kind::revoked); }, "the revocation");
  must(with.commit());
  EXPECT_EQ(group_offset(group_, where_).offset, 10);

  with.begin();
  EXPECT_THAT(with.send_offsets({{where_, 11, ""}}, as), succeeds()) << "the generation lasts until the release";
  EXPECT_THAT(with.commit(), succeeds());

  one.release();
  const auto other = two.until_assigned(1);
  expect_refused(with, as, failure_kind::lost_member);
  EXPECT_EQ(group_offset(group_, where_).offset, 11);
  expect_accepted(with, other);
}

TEST_F(positions, sent_under_the_old_generation_are_committed_even_after_a_rebalance) {
  participant one{*this, joining()};
  const auto as = one.until_assigned(2);
  writer with{*this, unique("writer")};
  with.begin();
  must(with.send_offsets({{where_, 10, "in time"}}, as));
  participant two{*this, joining()};
  two.until_assigned(1);
  // Until the transaction is decided, whoever comes next has to wait for it.
  EXPECT_THAT(group_offsets(group_, {where_}, isolation::read_committed, 1s), fails_with(failure_kind::timed_out));
  EXPECT_THAT(with.commit(), succeeds());
  EXPECT_EQ(group_offset(group_, where_), (port::group_offset{where_, 10, "in time"}));
}

TEST_F(positions, of_nothing_are_accepted_of_anybody) {
  participant one{*this, joining()};
  auto as = one.until_assigned(2);
  as.member_id = "somebody-else";
  writer with{*this, unique("writer")};
  with.begin();
  with.send(where_, numbered(0, 1));
  EXPECT_THAT(with.send_offsets({}, as), succeeds()) << "so a transaction without a position is fenced by no group";
  EXPECT_THAT(with.commit(), succeeds());
}

// ---- and then

TEST_F(positions, of_a_fenced_producer_are_refused) {
  participant one{*this, joining()};
  const auto as = one.until_assigned(2);
  const std::string id = unique("writer");
  writer old{*this, id};
  writer young{*this, id};
  old.begin();
  EXPECT_THAT(old.send_offsets({{where_, 13, ""}}, as), fails_with(failure_kind::fenced));
  EXPECT_THAT(old.commit(), fails());
  EXPECT_EQ(group_offset(group_, where_).offset, -1);
  expect_accepted(young, as);
}

TEST_F(positions, in_a_transaction_that_is_fenced_away_are_dropped) {
  participant one{*this, joining()};
  const auto as = one.until_assigned(2);
  const std::string id = unique("writer");
  writer with{*this, id};
  expect_accepted(with, as);
  with.begin();
  must(with.send_offsets({{where_, 99, ""}}, as));
  must(fence(id));
  EXPECT_EQ(group_offset(group_, where_).offset, 77);
  EXPECT_THAT(with.commit(), fails_with(failure_kind::fenced));
  EXPECT_EQ(group_offset(group_, where_).offset, 77);
}

TEST_F(positions, in_a_transaction_that_lasts_too_long_are_dropped) {
  participant one{*this, joining()};
  const auto as = one.until_assigned(2);
  writer slow{*this, unique("slow"), 1s};
  slow.begin();
  must(slow.send_offsets({{where_, 99, ""}}, as));
  EXPECT_EQ(group_offset(group_, where_).offset, -1) << "asked for while undecided, answered by the decision";
  EXPECT_THAT(slow.commit(), fails());
}

TEST_F(positions, of_a_topic_that_is_missing_are_refused) {
  participant one{*this, joining()};
  const auto as = one.until_assigned(2);
  writer with{*this, unique("writer"), 3s};
  with.begin();
  EXPECT_THAT(with.send_offsets({{where_, 5, ""}, {{unique("nowhere"), 0}, 5, ""}}, as), fails());
  EXPECT_THAT(with.commit(), fails());
  must(with.init());
  EXPECT_EQ(group_offset(group_, where_).offset, -1);
  expect_accepted(with, as);
}

}  // namespace
}  // namespace flow::contract
