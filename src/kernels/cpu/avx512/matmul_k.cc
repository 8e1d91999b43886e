#if defined(__x86_64__)

#include "kernels/cpu/avx512/avx512.h"
#include "kernels/cpu/avx512/product.h"

namespace headway::kernels::avx512 {

void AddKMatMuls(std::array<MatMulFn, kNumDataTypes>* table) {
  (*table)[static_cast<size_t>(DataType::kQ4_K)] = MatMul<DataType::kQ4_K>;
  (*table)[static_cast<size_t>(DataType::kQ5_K)] = MatMul<DataType::kQ5_K>;
  (*table)[static_cast<size_t>(DataType::kQ6_K)] = MatMul<DataType::kQ6_K>;
}

}  // namespace headway::kernels::avx512

#endif  // defined(__x86_64__)
