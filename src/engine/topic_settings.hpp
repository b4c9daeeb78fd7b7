#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "loop.hpp"
#include "outputs.hpp"
#include "site.hpp"

namespace flow::engine {

/// Keeps the topics of one cluster set as their topics at home are, where a sink says so; and where one says so of how
/// large a record may be, topics for letters so that they take what is larger now.
class topic_settings {
 public:
  /// `in_charge` names the topics at home that this worker looks after: of each there is one that does.
  topic_settings(const site& at, outputs& of, std::function<std::set<std::string>()> in_charge)
      : at_{at}, outputs_{of}, in_charge_{std::move(in_charge)} {}

  bool are_followed() const;
  /// Looks for as long as the worker runs. What cannot be changed is said once, and holds nothing up.
  task<void> follow();

 private:
  struct wanted {
    std::set<std::string> like{};      ///< topics at home
    std::set<std::string> settings{};  ///< names
    bool takes_letters = false;
  };
  using values = std::map<std::string, std::string>;
  bool follows(std::uint32_t sink) const;
  bool sizes_are_followed() const;
  std::map<std::string, wanted> all_wanted() const;
  task<result<bool>> look();
  /// What that topic has to be set to, and is not.
  values missing(const port::topic_description& topic, const wanted& how,
                 const std::vector<port::topic_description>& at_home);
  void complain(const std::string& topic, const failure& why);

  const site& at_;
  outputs& outputs_;
  std::function<std::set<std::string>()> in_charge_;
  std::set<std::pair<std::string, std::string>> said_;
};

}  // namespace flow::engine
