#if defined(__x86_64__)

#include "kernels/avx512/set.h"

#include "kernels/processor.h"

namespace headway::kernels::avx512 {

const KernelSet& Set() {
  static const KernelSet set = [] {
    __builtin_cpu_init();
    KernelSet made{.name = "avx512"};
    AddSimpleProducts(&made);
    AddKProducts(&made);
    AddLowKProducts(&made);
    AddTableProducts(&made);
    AddFloatProducts(&made);
    AddLaneKernels(&made);
    AddPlaneKernels(&made);
    AddScreen(&made);
    return made;
  }();
  return set;
}

std::string Missing() {
  __builtin_cpu_init();
  std::string missing;
  NoteMissing(__builtin_cpu_supports("avx512f"), "AVX512F", &missing);
  NoteMissing(__builtin_cpu_supports("avx512bw"), "AVX512BW", &missing);
  NoteMissing(__builtin_cpu_supports("avx512vl"), "AVX512VL", &missing);
  NoteMissing(__builtin_cpu_supports("avx512dq"), "AVX512DQ", &missing);
  NoteMissing(__builtin_cpu_supports("avx512vnni"), "AVX512_VNNI", &missing);
  return missing;
}

}  // namespace headway::kernels::avx512

#endif  // defined(__x86_64__)
