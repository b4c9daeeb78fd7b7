#pragma once

#include <string_view>

namespace plain {

/// How the value of every record begins whose transaction is aborted on purpose. No reader of committed records may
/// meet it.
inline constexpr std::string_view aborted_marker = "chaos-aborted ";

}  // namespace plain
