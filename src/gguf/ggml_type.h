#pragma once

// The numbers that GGUF files use for tensor types, and which of them this project can compute
// with. Source: the enum ggml_type and the block sizes of ggml (facts of the format).

#include <cstdint>
#include <optional>
#include <string>

#include "tensor/data_type.h"

namespace headway::gguf {

// "Q4_K", "IQ2_XS"; "number 99" for numbers unknown to us.
std::string TypeName(uint32_t ggml_type);

// Our type for the number; nullopt when unsupported.
std::optional<DataType> DataTypeOf(uint32_t ggml_type);

// The inverse: every DataType has a number.
uint32_t GgmlType(DataType type);

// Block size of a type, supported or not; nullopt for numbers unknown to us.
struct BlockSize {
  int64_t elements;
  int64_t bytes;
};
std::optional<BlockSize> BlockSizeOf(uint32_t ggml_type);

}  // namespace headway::gguf
