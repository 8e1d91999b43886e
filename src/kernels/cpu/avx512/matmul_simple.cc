#if defined(__x86_64__)

#include "kernels/cpu/avx512/avx512.h"
#include "kernels/cpu/avx512/product.h"

namespace headway::kernels::avx512 {

void AddSimpleMatMuls(std::array<MatMulFn, kNumDataTypes>* table) {
  (*table)[static_cast<size_t>(DataType::kQ8_0)] = MatMul<DataType::kQ8_0>;
  (*table)[static_cast<size_t>(DataType::kQ4_0)] = MatMul<DataType::kQ4_0>;
  (*table)[static_cast<size_t>(DataType::kQ4_1)] = MatMul<DataType::kQ4_1>;
  (*table)[static_cast<size_t>(DataType::kQ5_0)] = MatMul<DataType::kQ5_0>;
  (*table)[static_cast<size_t>(DataType::kQ5_1)] = MatMul<DataType::kQ5_1>;
}

}  // namespace headway::kernels::avx512

#endif  // defined(__x86_64__)
