#pragma once

// The kernel sets of this build, fastest first, and whether this processor can run them. A set for
// other instructions is a folder like avx2/ and a line in instruction_sets.cc.

#include <string>
#include <vector>

#include "kernels/kernel_set.h"

namespace headway::kernels {

struct InstructionSet {
  const KernelSet* set;
  std::string missing;  // "AVX512_VNNI, AVX512BW"; "" when the set can run
};

// The last is "reference", which is complete and runs everywhere.
std::vector<InstructionSet> InstructionSets();

}  // namespace headway::kernels
