#if defined(__x86_64__)

#include "kernels/cpu/avx512/avx512.h"

namespace headway::kernels::avx512 {

const KernelSet& Set() {
  static const KernelSet set = [] {
    KernelSet kernels;
    kernels.name = "avx512";
    AddSimpleMatMuls(&kernels.matmul);
    AddKMatMuls(&kernels.matmul);
    AddFloatMatMuls(&kernels.matmul);
    AddLaneKernels(&kernels);
    AddPlaneKernels(&kernels);
    AddScreen(&kernels);
    return kernels;
  }();
  return set;
}

}  // namespace headway::kernels::avx512

#endif  // defined(__x86_64__)
