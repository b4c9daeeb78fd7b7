#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <flow/plan.hpp>
#include <flow/ports.hpp>

/// What topics have to be like that an application writes to, and how it makes them.
namespace flow::engine {

/// What the topic is set to; empty if the cluster does not say.
const std::string& setting(const port::topic_description& topic, const std::string& name);

/// Bytes of a record that a topic for letters has to take, if they are of this one.
std::uint64_t largest_letter(const port::topic_description& of);

/// As the topic `like` of the home cluster is, and what any of the topics takes that lead there; none if it is not among
/// `originals`.
std::optional<port::topic_description> model_of(const std::vector<port::topic_description>& originals,
                                                const std::string& like, const std::set<std::string>& from);

/// The topic of this name that the sink writes to, for what comes from topics like `model`.
port::new_topic made_for(const sink_spec& sink, const port::topic_description& model, const std::string& name);

/// Why what is on its way through such a topic would be lost, or would not be where it is looked for.
std::optional<failure> unfit_for_passage(const port::topic_description& topic, std::int32_t partitions);

}  // namespace flow::engine
