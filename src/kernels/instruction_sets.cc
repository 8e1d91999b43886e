#include "kernels/instruction_sets.h"

#include "kernels/avx2/set.h"
#include "kernels/avx512/set.h"
#include "kernels/neon/set.h"
#include "kernels/reference/reference.h"

namespace headway::kernels {

std::vector<InstructionSet> InstructionSets() {
  return {
#if defined(__x86_64__)
    {.set = &avx512::Set(), .missing = avx512::Missing()},
        {.set = &avx2::Set(), .missing = avx2::Missing()},
#elif defined(__aarch64__)
    {.set = &neon::i8mm::Kernels(), .missing = neon::i8mm::Missing()},
        {.set = &neon::dot::Kernels(), .missing = neon::dot::Missing()},
        {.set = &neon::plain::Kernels(), .missing = ""},
#endif
        {.set = &reference::Set(), .missing = ""},
  };
}

}  // namespace headway::kernels
