#include "kernels/cpu/cpu_sets.h"

namespace headway::kernels::cpu {

std::vector<CpuSet> CpuSets() { return {}; }

}  // namespace headway::kernels::cpu
