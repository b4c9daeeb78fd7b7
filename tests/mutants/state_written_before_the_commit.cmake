# Local state is written before the transaction has committed: after a crash between the two it knows more than Kafka.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(transaction.cpp [[
  co_await step("offsets sent");
]] [[
  auto early = co_await store(*kept);
  if (!early) co_return early;
  co_await step("offsets sent");
]])
write_mutant()
