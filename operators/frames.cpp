#include "frames.hpp"

#include <pthread.h>
#include <unwind.h>

#include <algorithm>

namespace flow {
namespace {

/// A call and where its part of the stack begins; it ends where that of its caller begins.
struct activation {
  std::uintptr_t lowest;
  std::uintptr_t function;
};

_Unwind_Reason_Code add_call(_Unwind_Context* at, void* calls) {
  static_cast<std::vector<activation>*>(calls)->push_back({_Unwind_GetCFA(at), _Unwind_GetRegionStart(at)});
  return _URC_NO_REASON;
}

std::vector<activation> all_calls() {
  std::vector<activation> calls;
  _Unwind_Backtrace(add_call, &calls);
  return calls;
}

std::uintptr_t lowest_of_stack() {
  pthread_attr_t attributes;
  if (pthread_getattr_np(pthread_self(), &attributes) != 0) return UINTPTR_MAX;
  void* lowest = nullptr;
  std::size_t size = 0;
  pthread_attr_getstack(&attributes, &lowest, &size);
  pthread_attr_destroy(&attributes);
  return reinterpret_cast<std::uintptr_t>(lowest);
}

}  // namespace

std::vector<wiring::frame> calls_under_way() {
  const std::uintptr_t thread = pthread_self();
  std::vector<wiring::frame> frames;
  const std::vector<activation> calls = all_calls();
  for (std::size_t i = 0; i + 1 < calls.size(); ++i) frames.push_back({calls[i + 1].lowest, calls[i].function, thread});
  return frames;
}

std::vector<wiring::frame> frames_behind(const std::vector<std::uintptr_t>& words) {
  if (words.empty()) return {};
  std::vector<wiring::frame> frames;
  const std::vector<wiring::frame> live = calls_under_way();
  const auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
  const std::uintptr_t lowest = lowest_of_stack();
  for (const std::uintptr_t word : words) {
    if (word >= lowest && word < here) {
      frames.push_back({word, 0, pthread_self()});
    } else if (word >= here) {
      const auto at = std::ranges::find_if(live, [&](const wiring::frame& each) { return word < each.end; });
      if (at != live.end()) frames.push_back(*at);
    }
  }
  return frames;
}

}  // namespace flow
