#if defined(__x86_64__)

#include "kernels/cpu/avx2/avx2.h"

namespace headway::kernels::avx2 {

const KernelSet& Set() {
  static const KernelSet set = [] {
    KernelSet kernels;
    kernels.name = "avx2";
    AddSimpleMatMuls(&kernels.matmul);
    AddKMatMuls(&kernels.matmul);
    AddFloatMatMuls(&kernels.matmul);
    AddLaneKernels(&kernels);
    AddPlaneKernels(&kernels);
    return kernels;
  }();
  return set;
}

}  // namespace headway::kernels::avx2

#endif  // defined(__x86_64__)
