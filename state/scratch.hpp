#pragma once

#include <filesystem>
#include <memory>

#include <flow/ports.hpp>

namespace flow::database {

/// Makes a file without a name in `directory`, which has to be there. Failures are those of `open_state`.
result<std::unique_ptr<port::scratch>> open_scratch(const std::filesystem::path& directory);

}  // namespace flow::database
