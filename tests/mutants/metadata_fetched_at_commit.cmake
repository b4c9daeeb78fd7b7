# A transaction outlives its assignment and names the membership that is valid when it commits: a worker that was stopped
# past its session, and is a member again, commits beside its successor.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(target.cpp [[
        drop_session();
        assignment_ = {};
        member_->release();]] [[
        assignment_ = {};
        member_->release();]])
replace(target.cpp [[
        assign(event);
]] [[
        assignment_ = event.as;
        co_await close_session();
        assign(event);
]])
replace(transaction.cpp [[
  const auto as = by_.assignment();]] [[
  while (!by_.assignment().valid()) co_await turned_.wait_until(at_.loop.now() + 100ms);
  const auto as = by_.assignment();]])
write_mutant()
