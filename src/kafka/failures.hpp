#pragma once

#include <librdkafka/rdkafka.h>

#include <string>
#include <string_view>

#include <flow/failure.hpp>

namespace flow::kafka {

/// What an error of the client means for the engine, and what a person can do about it. `what` says what was being
/// done and to whom: "commit on tokyo".
failure failure_of(rd_kafka_resp_err_t code, std::string_view what, std::string_view detail = {});

/// The same for an error object, which is destroyed.
failure failure_of(rd_kafka_error_t* error, std::string_view what);

failure_kind kind_of(rd_kafka_resp_err_t code);

/// Empty if there is nothing special to do.
std::string_view remedy_for(rd_kafka_resp_err_t code);

}  // namespace flow::kafka
