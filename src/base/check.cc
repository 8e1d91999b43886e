#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace headway {

void CheckFailed(const char* file, int line, const char* condition, const char* reason) {
  std::fprintf(stderr, "%s:%d: internal error: %s (%s)\n", file, line, reason, condition);
  std::abort();
}

}  // namespace headway
