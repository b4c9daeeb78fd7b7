#pragma once

/// The front door: everything that a program of streams is written with.

// Where one-sentence errors point comes first: the compiler prints the whole way by which a header was reached.
#include <flow/plan.hpp>

#include <flow/call.hpp>

#include <flow/topic.hpp>

#include <flow/stream.hpp>

#include <flow/outlet.hpp>

#include <flow/as.hpp>
#include <flow/async_map.hpp>
#include <flow/bytes.hpp>
#include <flow/codec.hpp>
#include <flow/collect.hpp>
#include <flow/dedup.hpp>
#include <flow/describe.hpp>
#include <flow/drain.hpp>
#include <flow/fan_out.hpp>
#include <flow/filter.hpp>
#include <flow/flat_map.hpp>
#include <flow/for_each.hpp>
#include <flow/key_by.hpp>
#include <flow/map.hpp>
#include <flow/merge.hpp>
#include <flow/ordered_sink.hpp>
#include <flow/peek.hpp>
#include <flow/policy.hpp>
#include <flow/process.hpp>
#include <flow/record.hpp>
#include <flow/repartition.hpp>
#include <flow/split.hpp>
#include <flow/to.hpp>
#include <flow/topology.hpp>
#include <flow/with_header.hpp>
