#include <algorithm>
#include <atomic>

#include "suite.hpp"

namespace flow::contract {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;
using kind = port::group_event::kind;

class groups : public suite {
 protected:
  groups() : topic_{fresh_topic(4)}, group_{unique("group")} {}

  port::member_options dynamic(milliseconds session = 2s, milliseconds max_poll_interval = 30s) {
    auto options = joining(group_, topic_);
    options.session = session;
    options.max_poll_interval = max_poll_interval;
    return options;
  }

  port::member_options instance(std::string id, milliseconds session = 2s) {
    auto options = dynamic(session);
    options.instance_id = std::move(id);
    return options;
  }

  static std::vector<kind> kinds(const participant& one) {
    std::vector<kind> all;
    for (const port::group_event& event : one.history()) all.push_back(event.what);
    return all;
  }

  const std::string topic_;
  const std::string group_;
};

TEST_F(groups, give_everything_to_their_only_member) {
  participant one{*this, dynamic()};
  const auto as = one.until_assigned(4);
  EXPECT_THAT(one.partitions(), ElementsAre(0, 1, 2, 3));
  EXPECT_TRUE(as.valid());
  EXPECT_EQ(as.group, group_);
  EXPECT_EQ(as.instance_id, "");
  EXPECT_THAT(kinds(one), ElementsAre(kind::assigned));
}

TEST_F(groups, go_round_and_cover_every_partition_once) {
  participant one{*this, dynamic()};
  const auto before = one.until_assigned(4);
  participant two{*this, dynamic()};
  const auto of_two = two.until_assigned(2);
  const auto of_one = one.until_assigned(2);
  EXPECT_EQ(of_one.generation, of_two.generation);
  EXPECT_GT(of_one.generation, before.generation);
  std::vector<std::vector<std::int32_t>> shares{one.partitions(), two.partitions()};
  std::ranges::sort(shares);
  EXPECT_THAT(shares, ElementsAre(ElementsAre(0, 2), ElementsAre(1, 3)));
  EXPECT_THAT(kinds(one), ElementsAre(kind::assigned, kind::revoked, kind::assigned));
  EXPECT_THAT(one.history()[1].partitions, ElementsAre(0, 1, 2, 3)) << "all is given back before anything is given";
}

TEST_F(groups, go_round_by_instance_id) {
  const std::string stem = unique("instance");
  participant late{*this, instance(stem + "-b")};
  late.until_assigned(4);
  participant early{*this, instance(stem + "-a")};
  const auto as = early.until_assigned(2);
  late.until_assigned(2);
  EXPECT_EQ(as.instance_id, stem + "-a");
  EXPECT_THAT(early.partitions(), ElementsAre(0, 2));
  EXPECT_THAT(late.partitions(), ElementsAre(1, 3));
}

TEST_F(groups, with_more_members_than_partitions_give_some_of_them_nothing) {
  const std::string narrow = fresh_topic(1);
  auto options = dynamic();
  options.topic = narrow;
  participant one{*this, options};
  one.until_assigned(1);
  participant two{*this, options};
  eventually([&] { return one.assignment() && two.assignment(); }, "both assignments");
  EXPECT_EQ(one.partitions().size() + two.partitions().size(), 1u);
  EXPECT_TRUE(one.assignment()->as.valid());
  EXPECT_TRUE(two.assignment()->as.valid());
}

TEST_F(groups, wait_for_the_release_of_what_they_revoke) {
  participant one{*this, dynamic()};
  one.until_assigned(4);
  one.hold();
  participant two{*this, dynamic()};
  eventually([&] { return one.saw(kind::revoked); }, "the revocation");
  EXPECT_FALSE(pump_until([&] { return two.assignment() != nullptr; }, 1s)) << "nobody has released anything yet";
  EXPECT_EQ(one.history().size(), 2u) << "the next event comes only after the release";
  one.release();
  two.until_assigned(2);
  one.until_assigned(2);
}

TEST_F(groups, hand_over_what_a_leaving_member_held) {
  participant one{*this, dynamic(9s)};
  one.until_assigned(4);
  participant two{*this, dynamic(9s)};
  two.until_assigned(2);
  one.until_assigned(2);
  must(one.leave());
  EXPECT_EQ(one.history().back().what, kind::revoked) << "what is assigned is revoked before `done` runs";
  EXPECT_EQ(one.history().back().partitions.size(), 2u);
  eventually([&] { return two.partitions().size() == 4; }, "the handover, well before the session's end", 7s);
  ask_until([&] { return must(group_members(group_)).size() == 1; }, "one member");
}

TEST_F(groups, hand_over_what_a_leaving_static_member_held) {
  const std::string stem = unique("instance");
  participant one{*this, instance(stem + "-1", 9s)};
  one.until_assigned(4);
  participant two{*this, instance(stem + "-2", 9s)};
  two.until_assigned(2);
  one.until_assigned(2);
  must(one.leave());
  eventually([&] { return two.partitions().size() == 4; }, "the handover, well before the session's end", 7s);
}

TEST_F(groups, keep_a_static_members_place_while_it_restarts) {
  const std::string stem = unique("instance");
  auto one = std::make_unique<participant>(*this, instance(stem + "-1", 9s));
  one->until_assigned(4);
  participant two{*this, instance(stem + "-2", 9s)};
  const auto of_two = two.until_assigned(2);
  const auto before = one->until_assigned(2);
  const auto partitions = one->partitions();
  one.reset();

  participant again{*this, instance(stem + "-1", 9s)};
  const auto after = again.until_assigned(2);
  EXPECT_EQ(again.partitions(), partitions);
  EXPECT_EQ(after.generation, before.generation) << "no rebalance";
  EXPECT_EQ(two.assignment()->as, of_two);
  EXPECT_THAT(kinds(two), ElementsAre(kind::assigned));
}

TEST_F(groups, give_a_static_members_place_away_when_its_session_ends) {
  const std::string stem = unique("instance");
  auto one = std::make_unique<participant>(*this, instance(stem + "-1"));
  one->until_assigned(4);
  participant two{*this, instance(stem + "-2")};
  two.until_assigned(2);
  one->until_assigned(2);
  one.reset();
  two.until_assigned(4);
}

TEST_F(groups, tell_the_older_of_two_twins_to_end) {
  const std::string id = unique("instance");
  participant old{*this, instance(id)};
  old.until_assigned(4);
  participant twin{*this, instance(id)};
  eventually([&] { return old.saw(kind::failed); }, "the older twin's end");
  const auto failed = std::ranges::find(old.history(), kind::failed, &port::group_event::what);
  EXPECT_EQ(failed->why.kind, failure_kind::fenced_member);
  EXPECT_NE(failed->why.text.find(id), std::string::npos) << failed->why.text;
  twin.until_assigned(4);
}

TEST_F(groups, lose_a_member_that_is_not_polled) {
  participant hung{*this, dynamic(2s, 3s)};
  const auto before = hung.until_assigned(4);
  participant alert{*this, dynamic()};
  alert.until_assigned(2);
  hung.until_assigned(2);
  hung.pause();
  alert.until_assigned(4);
  hung.resume();
  eventually([&] { return hung.saw(kind::lost); }, "the hung member to learn that it is lost");
  const auto after = hung.until_assigned(2);
  EXPECT_GT(after.generation, before.generation);
  alert.until_assigned(2);
}

TEST_F(groups, list_their_members) {
  const auto elsewhere = in().connect("elsewhere");
  const std::string id = unique("instance");
  participant one{*this, instance(id)};
  one.until_assigned(4);
  participant two{*this, *elsewhere, dynamic()};
  const auto of_two = two.until_assigned(2);
  const auto of_one = one.until_assigned(2);
  auto members = must(group_members(group_));
  ASSERT_EQ(members.size(), 2u);
  if (members[0].member_id != of_one.member_id) std::swap(members[0], members[1]);
  EXPECT_EQ(members[0].member_id, of_one.member_id);
  EXPECT_EQ(members[0].instance_id, id);
  EXPECT_EQ(members[0].client_id, "contract");
  EXPECT_EQ(members[1].member_id, of_two.member_id);
  EXPECT_EQ(members[1].instance_id, "");
  EXPECT_EQ(members[1].client_id, "elsewhere");
}

TEST_F(groups, that_nobody_joined_have_no_members) {
  EXPECT_THAT(must(group_members(group_)), IsEmpty());
}

TEST_F(groups, of_different_names_do_not_disturb_each_other) {
  participant one{*this, dynamic()};
  one.until_assigned(4);
  auto options = dynamic();
  options.group = unique("group");
  participant two{*this, options};
  two.until_assigned(4);
  EXPECT_THAT(kinds(one), ElementsAre(kind::assigned));
}

TEST_F(groups, wake_the_worker_when_something_happens) {
  std::atomic<int> woken = 0;
  const auto member = cluster().join(dynamic(), [&woken] { ++woken; });
  eventually([&] { return woken > 0; }, "the waking by an assignment");
  std::optional<port::group_event> event;
  eventually([&] { return event || (event = member->poll()); }, "the assignment");
  EXPECT_EQ(event->what, kind::assigned);
  while (member->poll()) continue;
  woken = 0;
  participant two{*this, dynamic()};
  eventually([&] { return woken > 0; }, "the waking by a revocation");
  event.reset();
  eventually([&] { return event || (event = member->poll()); }, "the revocation");
  EXPECT_EQ(event->what, kind::revoked);
  member->release();
}

}  // namespace
}  // namespace flow::contract
