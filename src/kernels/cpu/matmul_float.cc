#if defined(__x86_64__)

#include <algorithm>
#include <type_traits>

#include "kernels/cpu/avx2/lanes.h"
#include "kernels/cpu/avx512/lanes.h"
#include "kernels/cpu/parts.h"
#include "kernels/tiles.h"

namespace headway::kernels {
namespace {

template <DataType kType>
using ElementOf = std::conditional_t<kType == DataType::kF32, float,
                                     std::conditional_t<kType == DataType::kF16, F16, BF16>>;

}  // namespace
}  // namespace headway::kernels

// clang-format off
#include "kernels/cpu/target_avx2_begin.h"  // nothing but the kernels may be inside a region
namespace headway::kernels::avx2 {
namespace {
#include "kernels/cpu/lanes/product_float.inc"
}  // namespace
}  // namespace headway::kernels::avx2
#include "kernels/cpu/target_end.h"

#include "kernels/cpu/target_avx512_begin.h"
namespace headway::kernels::avx512 {
namespace {
#include "kernels/cpu/lanes/product_float.inc"
}  // namespace
}  // namespace headway::kernels::avx512
#include "kernels/cpu/target_end.h"
// clang-format on

namespace headway::kernels::cpu {
namespace {

template <class Product>
void SetTypes(const Product& product, KernelSet* set) {
  SetMatMuls<DataType::kF32, DataType::kF16, DataType::kBF16>(product, set);
}

}  // namespace

void AddFloatMatMuls(CpuTables* tables) {
  SetTypes([]<DataType kType>() { return avx2::MatMulFloat<kType>; }, &tables->avx2);
  SetTypes([]<DataType kType>() { return avx512::MatMulFloat<kType>; }, &tables->avx512);
}

}  // namespace headway::kernels::cpu

#endif  // defined(__x86_64__)
