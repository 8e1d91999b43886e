#if defined(__x86_64__)

#include "kernels/avx2/set.h"

#include "kernels/processor.h"

namespace headway::kernels::avx2 {

const KernelSet& Set() {
  static const KernelSet set = [] {
    __builtin_cpu_init();
    KernelSet made{.name = "avx2"};
    AddSimpleProducts(&made);
    AddKProducts(&made);
    AddLowKProducts(&made);
    AddTableProducts(&made);
    AddFloatProducts(&made);
    AddLaneKernels(&made);
    AddPlaneKernels(&made);
    return made;
  }();
  return set;
}

std::string Missing() {
  __builtin_cpu_init();
  std::string missing;
  NoteMissing(__builtin_cpu_supports("avx2"), "AVX2", &missing);
  NoteMissing(__builtin_cpu_supports("fma"), "FMA", &missing);
  NoteMissing(HasF16C(), "F16C", &missing);
  return missing;
}

}  // namespace headway::kernels::avx2

#endif  // defined(__x86_64__)
