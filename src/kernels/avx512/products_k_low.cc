#if defined(__x86_64__)

#include "kernels/avx512/product.h"
#include "kernels/avx512/set.h"

namespace headway::kernels::avx512 {

void AddLowKProducts(KernelSet* set) {
  set->ProductOf(DataType::kQ2_K) = MatMul<DataType::kQ2_K>;
  set->ProductOf(DataType::kQ3_K) = MatMul<DataType::kQ3_K>;
}

}  // namespace headway::kernels::avx512

#endif  // defined(__x86_64__)
