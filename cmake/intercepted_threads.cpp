#include <pthread.h>

#include <cstdint>
#include <memory>

// GCC's thread sanitizer sees threads that are made and joined by pthread's functions. librdkafka makes its own by those
// of C11, and in a thread that it has not seen the sanitizer falls over. Declared here, since the C header is none of C++.
namespace {

struct beginning {
  int (*run)(void*);
  void* with;
};

void* begin(void* from) {
  const std::unique_ptr<beginning> what{static_cast<beginning*>(from)};
  return reinterpret_cast<void*>(static_cast<std::intptr_t>(what->run(what->with)));
}

constexpr int success = 0, error = 2;

}  // namespace

extern "C" int thrd_create(pthread_t* made, int (*run)(void*), void* with) {
  auto what = std::make_unique<beginning>(beginning{run, with});
  if (::pthread_create(made, nullptr, begin, what.get()) != 0) return error;
  what.release();  // NOLINT(bugprone-unused-return-value)
  return success;
}

extern "C" int thrd_join(pthread_t which, int* answer) {
  void* said = nullptr;
  if (::pthread_join(which, &said) != 0) return error;
  if (answer) *answer = static_cast<int>(reinterpret_cast<std::intptr_t>(said));
  return success;
}

// What it does there it does by locks that the sanitizer sees as little.
extern "C" const char* __tsan_default_suppressions() { return "called_from_lib:librdkafka.so\n"; }
