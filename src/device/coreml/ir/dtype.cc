#include "device/coreml/ir/dtype.h"

namespace headway::mil {
namespace {

constexpr std::array<DTypeTraits, kNumDTypes> kTraits = [] {
  using enum DTypeClass;
  return std::array<DTypeTraits, kNumDTypes>{{
      {"bool", 8, kBool},        {"string", 0, kString},    {"fp16", 16, kFloat},
      {"fp32", 32, kFloat},      {"fp64", 64, kFloat},      {"bf16", 16, kFloat},
      {"int4", 4, kSigned},      {"int8", 8, kSigned},      {"int16", 16, kSigned},
      {"int32", 32, kSigned},    {"int64", 64, kSigned},    {"uint1", 1, kUnsigned},
      {"uint2", 2, kUnsigned},   {"uint3", 3, kUnsigned},   {"uint4", 4, kUnsigned},
      {"uint6", 6, kUnsigned},   {"uint8", 8, kUnsigned},   {"uint16", 16, kUnsigned},
      {"uint32", 32, kUnsigned}, {"uint64", 64, kUnsigned}, {"fp8e4m3fn", 8, kFloat},
      {"fp8e5m2", 8, kFloat},
  }};
}();

}  // namespace

const DTypeTraits& Traits(DType type) { return kTraits[static_cast<size_t>(type)]; }

std::string_view NameOf(DType type) { return Traits(type).name; }

std::optional<DType> DTypeFromName(std::string_view name) {
  for (size_t i = 0; i < kTraits.size(); ++i) {
    if (kTraits[i].name == name) return static_cast<DType>(i);
  }
  return std::nullopt;
}

}  // namespace headway::mil
