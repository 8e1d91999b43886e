#pragma once

// Element types of MIL tensors, sub-byte types included, and how many bits an element takes when
// packed. The numbers that stand for them in model.mlmodel and in weight.bin belong to the
// serialiser (device/coreml/package/type_numbers.h). Source: MIL.proto, enum DataType (facts of the
// format).

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace headway::mil {

enum class DType : uint8_t {
  kBool,
  kString,
  kF16,
  kF32,
  kF64,
  kBF16,
  kI4,
  kI8,
  kI16,
  kI32,
  kI64,
  kU1,
  kU2,
  kU3,
  kU4,
  kU6,
  kU8,
  kU16,
  kU32,
  kU64,
  kF8E4M3FN,
  kF8E5M2,
};

inline constexpr int kNumDTypes = 22;

enum class DTypeClass : uint8_t { kBool, kString, kFloat, kSigned, kUnsigned };

struct DTypeTraits {
  std::string_view name;  // as MIL's printed form has it: "fp16", "int32", "uint4"
  int bits;               // of one packed element; 0 for strings
  DTypeClass type_class;
};

const DTypeTraits& Traits(DType type);

// The type called `name` ("fp16"); nullopt when there is none.
std::optional<DType> DTypeFromName(std::string_view name);

// A set of element types, for the rows of the op table.
using DTypeSet = uint32_t;
constexpr DTypeSet Only(DType type) { return DTypeSet{1} << static_cast<unsigned>(type); }
constexpr bool Contains(DTypeSet set, DType type) { return (set & Only(type)) != 0; }

// Traits(type).name
std::string_view NameOf(DType type);

}  // namespace headway::mil
