#pragma once

// The kernel sets written for particular instructions, fastest first, and whether this processor
// has them.

#include <string>
#include <vector>

#include "kernels/kernel_set.h"

namespace headway::kernels::cpu {

struct CpuSet {
  const KernelSet* set;
  std::string missing;  // "AVX512_VNNI, AVX512BW"; "" when the set can run
};

std::vector<CpuSet> CpuSets();

}  // namespace headway::kernels::cpu
