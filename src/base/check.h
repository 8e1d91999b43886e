#pragma once

// Invariants of our own. HW_CHECK aborts in every build with the place and the reason: it is for
// bugs, never for bad input (that is Result<T>).

namespace headway {

[[noreturn]] void CheckFailed(const char* file, int line, const char* condition,
                              const char* reason);

}  // namespace headway

#define HW_CHECK(condition, reason)                                   \
  do {                                                                \
    if (!(condition)) [[unlikely]]                                    \
      ::headway::CheckFailed(__FILE__, __LINE__, #condition, reason); \
  } while (false)

// HW_DCHECK vanishes with NDEBUG: for inner loops.
#ifdef NDEBUG
#define HW_DCHECK(condition, reason) static_cast<void>(0)
#else
#define HW_DCHECK(condition, reason) HW_CHECK(condition, reason)
#endif
