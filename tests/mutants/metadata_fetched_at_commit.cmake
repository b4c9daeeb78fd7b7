# A transaction outlives its assignment and names the membership that is valid when it commits: a worker that was stopped
# past its session, and is a member again, commits beside its successor.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(target.cpp [[
        drop_session();
        lanes_.clear();
        assignment_ = {};
        member_->release();]] [[
        assignment_ = {};
        member_->release();]])
replace(target.cpp [[
        assignment_ = event.as;
]] [[
        assignment_ = event.as;
        revoking_ = true;
        turned_.notify();
        co_await close_session();
]])
replace(transaction.cpp [[
  const auto as = assignment_;]] [[
  while (!assignment_.valid()) co_await turned_.wait_until(with_.loop.now() + 100ms);
  const auto as = assignment_;]])
write_mutant()
