#if defined(__x86_64__)

#include "kernels/cpu/avx2/product.h"
#include "kernels/cpu/avx512/product.h"
#include "kernels/cpu/parts.h"

namespace headway::kernels::cpu {
namespace {

template <class Product>
void SetTypes(const Product& product, KernelSet* set) {
  SetMatMuls<DataType::kQ4_K, DataType::kQ5_K, DataType::kQ6_K>(product, set);
}

}  // namespace

void AddKMatMuls(CpuTables* tables) {
  SetTypes([]<DataType kType>() { return avx2::MatMul<kType>; }, &tables->avx2);
  SetTypes([]<DataType kType>() { return avx512::MatMul<kType>; }, &tables->avx512);
}

}  // namespace headway::kernels::cpu

#endif  // defined(__x86_64__)
