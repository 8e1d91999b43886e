#if defined(__x86_64__)

#include "kernels/avx512/product.h"
#include "kernels/avx512/set.h"

namespace headway::kernels::avx512 {

void AddKProducts(KernelSet* set) {
  set->ProductOf(DataType::kQ4_K) = MatMul<DataType::kQ4_K>;
  set->ProductOf(DataType::kQ5_K) = MatMul<DataType::kQ5_K>;
  set->ProductOf(DataType::kQ6_K) = MatMul<DataType::kQ6_K>;
}

}  // namespace headway::kernels::avx512

#endif  // defined(__x86_64__)
