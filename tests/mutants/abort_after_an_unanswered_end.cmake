# A commit that was not answered is aborted, and taken for aborted: the lanes go on from where they were before it.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(transaction.cpp [[
    if (!known) producer_ready_ = false;]] [[
    if (!known && ended.error().kind != failure_kind::timed_out) producer_ready_ = false;]])
replace(transaction.cpp [[
  for (auto* each : lanes_) each->taken = false;
]] [[
  for (auto* each : lanes_) {
    each->taken = why.kind == failure_kind::timed_out;
    for (const auto& course : each->courses)
      if (const auto before = each->committed.find(course->from->where); before != each->committed.end())
        course->next = before->second.next, course->last = before->second.last;
  }
]])
replace(transaction.cpp [[
    case failure_kind::abortable:
    case failure_kind::lost_member:]] [[
    case failure_kind::timed_out:
    case failure_kind::abortable:
    case failure_kind::lost_member:]])
write_mutant()
