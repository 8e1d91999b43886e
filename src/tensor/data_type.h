#pragma once

// The element types of tensors and their storage: a type is a block of `block_elements` values in
// `block_bytes` bytes. Byte layouts of the quantised blocks: tensor/blocks.h. Source: GGUF
// specification, ggml type list.

#include <cstdint>
#include <optional>
#include <string_view>

namespace headway {

enum class DataType : uint8_t {
  kF32,
  kF16,
  kBF16,
  kI8,
  kI16,
  kI32,
  kI64,
  kF64,
  kQ4_0,
  kQ4_1,
  kQ5_0,
  kQ5_1,
  kQ8_0,
  kQ4_K,
  kQ5_K,
  kQ6_K,
  kQ2_K,
  kQ3_K,
  kIQ4_NL,
  kIQ4_XS,
  kMXFP4,
};

inline constexpr int kNumDataTypes = 21;

struct DataTypeTraits {
  std::string_view name;   // as llama.cpp prints it: "Q4_K", "F16"
  int64_t block_elements;  // 1 for plain types
  int64_t block_bytes;
};

const DataTypeTraits& Traits(DataType type);

// The type called `name`, upper or lower case ("q8_0"); nullopt when there is none.
std::optional<DataType> DataTypeFromName(std::string_view name);

// True for types whose rows can be the weights of a matrix product: F32 F16 BF16 and the
// block-quantised types.
bool IsWeightType(DataType type);

// True for the block-quantised types (Q*, IQ*, MXFP4).
bool IsQuantised(DataType type);

// The bytes of one row of `num_elements` values; num_elements must be a multiple of the block.
int64_t RowBytes(DataType type, int64_t num_elements);

}  // namespace headway
