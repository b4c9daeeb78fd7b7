#include <flow/destination.hpp>

#include <exception>

#include <flow/policy.hpp>

namespace flow {

receipt receipt_of_exception() {
  try {
    throw;
  } catch (const permanent_error& e) {
    return receipt::permanent(e.what());
  } catch (const std::exception& e) {
    return receipt::retriable(e.what());
  } catch (...) {
    return receipt::retriable("an exception that says nothing");
  }
}

std::vector<receipt> receipts_of_all(std::size_t count, const receipt& whole) {
  const bool is_of_one = whole.what != receipt::kind::permanent || count == 1;
  return std::vector<receipt>(count, is_of_one ? whole : receipt::apart(whole.text));
}

}  // namespace flow
