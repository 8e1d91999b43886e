#include "kernels/instruction_sets.h"

#include "kernels/avx2/set.h"
#include "kernels/avx512/set.h"
#include "kernels/reference/reference.h"

namespace headway::kernels {

std::vector<InstructionSet> InstructionSets() {
  return {
#if defined(__x86_64__)
    {.set = &avx512::Set(), .missing = avx512::Missing()},
        {.set = &avx2::Set(), .missing = avx2::Missing()},
#endif
        {.set = &reference::Set(), .missing = ""},
  };
}

}  // namespace headway::kernels
