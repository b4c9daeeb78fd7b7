#pragma once

#include <memory>

#include <flow/plan.hpp>
#include <flow/ports.hpp>

namespace flow {

/// The destination of an ordered sink for one worker: its reports come from the mailbox, and not at all once it is
/// destroyed. User code that blocks gets threads of its own, "flow-<sink>".
std::unique_ptr<destination> open_destination(const sink_spec& sink, std::shared_ptr<port::mailbox> mailbox);

}  // namespace flow
