#include "device/coreml/package/type_numbers.h"

#include <array>

namespace headway::mil {
namespace {

struct Row {
  DType dtype;
  int32_t mil;
  int32_t feature;  // 0: none
  uint32_t blob;    // 0: none
};

constexpr std::array<Row, kNumDTypes> kRows = {{
    {DType::kBool, 1, 0, 0},       {DType::kString, 2, 0, 0},     {DType::kF16, 10, 0x10010, 1},
    {DType::kF32, 11, 0x10020, 2}, {DType::kF64, 12, 0x10040, 0}, {DType::kBF16, 13, 0, 5},
    {DType::kI8, 21, 0x20008, 4},  {DType::kI16, 22, 0, 6},       {DType::kI32, 23, 0x20020, 14},
    {DType::kI64, 24, 0, 0},       {DType::kI4, 25, 0, 8},        {DType::kU8, 31, 0, 3},
    {DType::kU16, 32, 0, 7},       {DType::kU32, 33, 0, 15},      {DType::kU64, 34, 0, 0},
    {DType::kU4, 35, 0, 11},       {DType::kU2, 36, 0, 10},       {DType::kU1, 37, 0, 9},
    {DType::kU6, 38, 0, 13},       {DType::kU3, 39, 0, 12},       {DType::kF8E4M3FN, 40, 0, 16},
    {DType::kF8E5M2, 41, 0, 17},
}};

const Row& RowOf(DType dtype) {
  size_t i = 0;
  while (kRows[i].dtype != dtype) ++i;
  return kRows[i];
}

template <class Number>
std::optional<DType> Find(Number Row::*column, Number number) {
  for (const Row& row : kRows) {
    if (number != 0 && row.*column == number) return row.dtype;
  }
  return std::nullopt;
}

}  // namespace

int32_t MilNumber(DType dtype) { return RowOf(dtype).mil; }
std::optional<DType> DTypeFromMilNumber(int32_t number) { return Find(&Row::mil, number); }

std::optional<int32_t> FeatureNumber(DType dtype) {
  const int32_t number = RowOf(dtype).feature;
  return number == 0 ? std::nullopt : std::optional(number);
}
std::optional<DType> DTypeFromFeatureNumber(int32_t number) { return Find(&Row::feature, number); }

std::optional<uint32_t> BlobNumber(DType dtype) {
  const uint32_t number = RowOf(dtype).blob;
  return number == 0 ? std::nullopt : std::optional(number);
}
std::optional<DType> DTypeFromBlobNumber(uint32_t number) { return Find(&Row::blob, number); }

}  // namespace headway::mil
