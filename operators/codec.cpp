#include <flow/codec.hpp>

#include <string>

#include <flow/record.hpp>

namespace flow {

void throw_wrong_size(std::size_t expected, std::size_t actual) {
  throw malformed{"has " + std::to_string(actual) + " bytes instead of " + std::to_string(expected)};
}

void throw_undecodable(std::string_view part) {
  const std::string start = "the " + std::string{part} + " cannot be decoded: it ";
  try {
    throw;
  } catch (const malformed& e) {
    throw undecodable{start + e.what()};
  } catch (const std::exception& e) {
    throw undecodable{"the " + std::string{part} + " cannot be decoded: " + e.what()};
  } catch (...) {
    throw undecodable{"the " + std::string{part} + " cannot be decoded"};
  }
}

}  // namespace flow
