# The outputs are committed first and their position in a transaction of its own. A crash between the two repeats them.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(transaction.cpp [[
  producer_->send(std::move(positions));
  if (!last.empty()) {
    producer_->send(std::move(last));
    co_await step("sent");
  }
]] [[
  if (!last.empty()) {
    producer_->send(std::move(last));
    co_await step("sent");
  }
  auto outputs = co_await answer<port::committed>(at_.loop, [&](auto done) { producer_->commit(std::move(done)); });
  if (!outputs) {
    producer_ready_ = false;
    co_return tl::unexpected{outputs.error()};
  }
  producer_->begin();
  producer_->send(std::move(positions));
]])
write_mutant()
