#include "tensor/data_type.h"

#include <array>
#include <cctype>

#include "base/check.h"

namespace headway {
namespace {

constexpr std::array<DataTypeTraits, kNumDataTypes> kTraits = {{
    {"F32", 1, 4},     {"F16", 1, 2},      {"BF16", 1, 2},     {"I8", 1, 1},
    {"I16", 1, 2},     {"I32", 1, 4},      {"I64", 1, 8},      {"F64", 1, 8},
    {"Q4_0", 32, 18},  {"Q4_1", 32, 20},   {"Q5_0", 32, 22},   {"Q5_1", 32, 24},
    {"Q8_0", 32, 34},  {"Q4_K", 256, 144}, {"Q5_K", 256, 176}, {"Q6_K", 256, 210},
    {"Q2_K", 256, 84}, {"Q3_K", 256, 110}, {"IQ4_NL", 32, 18}, {"IQ4_XS", 256, 136},
    {"MXFP4", 32, 17},
}};

}  // namespace

const DataTypeTraits& Traits(DataType type) { return kTraits[static_cast<size_t>(type)]; }

std::optional<DataType> DataTypeFromName(std::string_view name) {
  for (size_t i = 0; i < kTraits.size(); ++i) {
    const std::string_view candidate = kTraits[i].name;
    bool equal = candidate.size() == name.size();
    for (size_t c = 0; equal && c < name.size(); ++c) {
      equal = std::toupper(static_cast<unsigned char>(name[c])) == candidate[c];
    }
    if (equal) return static_cast<DataType>(i);
  }
  return std::nullopt;
}

bool IsQuantised(DataType type) { return Traits(type).block_elements > 1; }

bool IsWeightType(DataType type) {
  return IsQuantised(type) || type == DataType::kF32 || type == DataType::kF16 ||
         type == DataType::kBF16;
}

int64_t RowBytes(DataType type, int64_t num_elements) {
  const DataTypeTraits& traits = Traits(type);
  HW_CHECK(num_elements % traits.block_elements == 0, "a row is a whole number of blocks");
  return num_elements / traits.block_elements * traits.block_bytes;
}

}  // namespace headway
