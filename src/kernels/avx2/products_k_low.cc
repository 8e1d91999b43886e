#if defined(__x86_64__)

#include "kernels/avx2/product.h"
#include "kernels/avx2/set.h"

namespace headway::kernels::avx2 {

void AddLowKProducts(KernelSet* set) {
  set->ProductOf(DataType::kQ2_K) = MatMul<DataType::kQ2_K>;
  set->ProductOf(DataType::kQ3_K) = MatMul<DataType::kQ3_K>;
}

}  // namespace headway::kernels::avx2

#endif  // defined(__x86_64__)
