#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <flow/failure.hpp>
#include <flow/plan.hpp>
#include <flow/ports.hpp>

/// Why a worker does not go on, for itself and for who looks at its work from outside.
namespace flow::engine {

/// The cluster is `home` and the topic is read there, so that what goes out would come back in.
failure leads_back(const std::string& writer, const std::string& topic, const std::string& cluster,
                   const std::string& home);
/// Two names, and one cluster with this id.
failure one_and_the_same(const std::string& one, const std::string& other, const std::string& id);
/// The names that sources have given and that are not among these topics, as "a, b".
std::string missing_topics(const plan& what, const std::vector<port::topic_description>& there);
/// Why a lane whose next offset this is cannot go on in a partition of which [first, end) is there; nullopt: it can.
std::optional<std::string> out_of_reach(std::int64_t next, const topic_partition& where, const std::string& home,
                                        std::int64_t first, std::int64_t end);

}  // namespace flow::engine
