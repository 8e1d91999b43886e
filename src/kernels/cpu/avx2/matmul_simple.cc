#if defined(__x86_64__)

#include "kernels/cpu/avx2/avx2.h"
#include "kernels/cpu/avx2/product.h"

namespace headway::kernels::avx2 {

void AddSimpleMatMuls(std::array<MatMulFn, kNumDataTypes>* table) {
  (*table)[static_cast<size_t>(DataType::kQ8_0)] = MatMul<DataType::kQ8_0>;
  (*table)[static_cast<size_t>(DataType::kQ4_0)] = MatMul<DataType::kQ4_0>;
  (*table)[static_cast<size_t>(DataType::kQ4_1)] = MatMul<DataType::kQ4_1>;
  (*table)[static_cast<size_t>(DataType::kQ5_0)] = MatMul<DataType::kQ5_0>;
  (*table)[static_cast<size_t>(DataType::kQ5_1)] = MatMul<DataType::kQ5_1>;
}

}  // namespace headway::kernels::avx2

#endif  // defined(__x86_64__)
