#if defined(__x86_64__)

#include "kernels/avx512/product.h"
#include "kernels/avx512/set.h"

namespace headway::kernels::avx512 {

void AddTableProducts(KernelSet* set) {
  set->ProductOf(DataType::kIQ4_NL) = MatMul<DataType::kIQ4_NL>;
  set->ProductOf(DataType::kIQ4_XS) = MatMul<DataType::kIQ4_XS>;
  set->ProductOf(DataType::kMXFP4) = MatMul<DataType::kMXFP4>;
}

}  // namespace headway::kernels::avx512

#endif  // defined(__x86_64__)
