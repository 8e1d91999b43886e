#pragma once

// Everything in a GGUF file before the tensor data: header, metadata and tensor infos, parsed and
// checked (docs/formats/gguf.md). Used by GgufFile only. All views point into the parsed bytes.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "gguf/value.h"
#include "tensor/data_type.h"
#include "tensor/tensor_view.h"

namespace headway::gguf {

inline constexpr uint32_t kDefaultAlignmentBytes = 32;
inline constexpr uint32_t kMaxAlignmentBytes = 1U << 20;
inline constexpr int kMaxArrayDepth = 4;
inline constexpr size_t kMaxNameBytes = 127;  // the specification says 64; some writers allow 127

struct TensorInfo {
  std::string_view name;
  uint32_t ggml_type = 0;
  std::optional<DataType> type;  // nullopt: a type that can be listed but not used
  Shape shape;                   // outermost first: the file's dimensions reversed
  size_t part = 0;               // of a split model: which file
  uint64_t offset_bytes = 0;     // from the start of that file
  uint64_t size_bytes = 0;       // 0 when the type's block size is unknown

  // "Q4_K", "IQ2_XS", "number 99".
  std::string TypeName() const;
};

struct Directory {
  uint32_t version = 0;
  uint64_t alignment_bytes = kDefaultAlignmentBytes;
  uint64_t data_offset_bytes = 0;  // where tensor data begins
  std::vector<MetadataEntry> metadata;
  std::vector<TensorInfo> tensors;
  std::unordered_map<std::string_view, size_t> metadata_index;
  std::unordered_map<std::string_view, size_t> tensor_index;
};

// Errors (messages without the file's name): kInvalidInput (not a GGUF), kUnsupported (version,
// byte order), kCorrupt (everything else). Memory use is bounded by a small multiple of the bytes
// actually present.
Result<Directory> ParseDirectory(std::span<const std::byte> bytes);

}  // namespace headway::gguf
