#if defined(__x86_64__)

#include "kernels/avx512/product.h"
#include "kernels/avx512/set.h"

namespace headway::kernels::avx512 {

void AddSimpleProducts(KernelSet* set) {
  set->ProductOf(DataType::kQ8_0) = MatMul<DataType::kQ8_0>;
  set->ProductOf(DataType::kQ4_0) = MatMul<DataType::kQ4_0>;
  set->ProductOf(DataType::kQ4_1) = MatMul<DataType::kQ4_1>;
  set->ProductOf(DataType::kQ5_0) = MatMul<DataType::kQ5_0>;
  set->ProductOf(DataType::kQ5_1) = MatMul<DataType::kQ5_1>;
}

}  // namespace headway::kernels::avx512

#endif  // defined(__x86_64__)
