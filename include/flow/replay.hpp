#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <flow/dead_letter.hpp>
#include <flow/plan.hpp>

/// Dead letters that go through their topology once more. That is a program of flow like any other: it reads the
/// letters, and has lanes, positions and transactions of its own.
namespace flow {

/// Which letters a replay takes.
enum class letter_kind {
  failed,  ///< of records that failed on their way to the sinks; they lie at home, and are for every cluster
  refused  ///< of records that a cluster, or a destination outside, did not take, and those without a key of nodes that
           ///< park; they are for that one alone
};
letter_kind kind_of(const letter& what);

/// What goes through again.
struct replay_options {
  std::string application;  ///< whose letters they are
  std::string home;     ///< what the topology was built with
  std::string cluster;  ///< where the letters lie, by its name there; of `failed` ones that is home
  letter_kind kind = letter_kind::failed;
  std::map<topic_partition, std::int64_t> until{};  ///< their partitions, and how far those are read
  bool pass_over_strangers =
      false;  ///< of a node or topic that the topology does not have (any more): else they stop it
};

/// The node of a replay that stands for its letters, the last of the plan: it has received them, has skipped what is no
/// letter of this application and kind, and has dropped those that do not come to the node any more that failed then.
inline constexpr std::string_view letters_node = "dead letters";

/// The topology as it takes its letters again. Each comes as the record that it was, from where that was read, and has
/// a way to nothing but what the node that failed then makes of it. What fails again is a letter again, of the same
/// record and node, with all its attempts. It is read as `cluster`, which its sinks call home, and its application is
/// one of its own: "<application>.<home>.replay", or ".refused".
std::shared_ptr<const plan> replay_of(std::shared_ptr<const plan> what, replay_options how);

/// Those of these topics of a cluster that letters of the plan go to, by its policies; of `others`, which are patterns
/// of policies that it does not have (any more), too.
std::vector<std::string> letter_topics(const plan& of, std::string_view home, std::string_view cluster,
                                       const std::vector<std::string>& topics,
                                       const std::vector<std::string>& others = {});

}  // namespace flow
