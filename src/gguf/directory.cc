#include "gguf/directory.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <numeric>

#include "base/checked_size.h"
#include "gguf/cursor.h"
#include "gguf/ggml_type.h"
#include "gguf/metadata_parser.h"

namespace headway::gguf {
namespace {

// The least bytes that an entry can take: the file's counts are checked against what is there.
constexpr uint64_t kMinMetadataBytes = 8 + 1 + 4 + 1;  // key length, one character, type, one byte
constexpr uint64_t kMinTensorBytes = 8 + 1 + 4 + 8 + 4 + 8;  // name, rank, one extent, type, offset

tl::unexpected<Error> Corrupt(std::string message) {
  return Fail(ErrorCode::kCorrupt, std::move(message));
}

Result<void> CheckMagic(std::span<const std::byte> bytes) {
  const std::string_view magic(reinterpret_cast<const char*>(bytes.data()),
                               std::min<size_t>(bytes.size(), 4));
  if (magic == "GGUF") return {};
  if (bytes.empty()) return Fail(ErrorCode::kInvalidInput, "not a GGUF file: it is empty");
  return Fail(
      ErrorCode::kInvalidInput,
      fmt::format("not a GGUF file: expected the first bytes 'GGUF', found {}", Quoted(magic)));
}

Result<void> CheckVersion(uint32_t version) {
  if (version == 2 || version == 3) return {};
  if (version == 0x02000000U || version == 0x03000000U) {
    return Fail(
        ErrorCode::kUnsupported,
        fmt::format("big-endian GGUF version {} unsupported (supported: little-endian 2 and 3)",
                    version >> 24));
  }
  return Fail(ErrorCode::kUnsupported,
              fmt::format("GGUF version {} unsupported (supported: 2 and 3)", version));
}

Result<void> CheckCount(uint64_t count, const Cursor& cursor, uint64_t min_bytes,
                        const char* things) {
  if (count <= cursor.RemainingBytes() / min_bytes) return {};
  return Corrupt(fmt::format("{} {} claimed, but only {} bytes follow", count, things,
                             cursor.RemainingBytes()));
}

Result<void> IndexMetadata(Directory& directory) {
  for (size_t i = 0; i < directory.metadata.size(); ++i) {
    const std::string_view key = directory.metadata[i].key;
    if (!directory.metadata_index.emplace(key, i).second) {
      return Corrupt(fmt::format("key {} occurs twice", Quoted(key)));
    }
  }
  return {};
}

Result<uint64_t> ReadAlignment(const Directory& directory) {
  const auto found = directory.metadata_index.find("general.alignment");
  if (found == directory.metadata_index.end()) return uint64_t{kDefaultAlignmentBytes};
  const Value& value = directory.metadata[found->second].value;
  if (value.type != ValueType::kU32) {
    return Corrupt(
        fmt::format("key 'general.alignment': expected u32, found {}", value.TypeText()));
  }
  const uint64_t alignment = LoadAs<uint32_t>(value.bytes.data());
  if (!std::has_single_bit(alignment) || alignment < 8 || alignment > kMaxAlignmentBytes) {
    return Corrupt(
        fmt::format("key 'general.alignment': expected a power of two from 8 to {}, found {}",
                    kMaxAlignmentBytes, alignment));
  }
  return alignment;
}

// The file lists the innermost extent first, Shape the outermost.
Result<Shape> ReadShape(Cursor& cursor) {
  HW_TRY(const auto rank, cursor.Read<uint32_t>("tensor rank"));
  if (rank < 1 || rank > Shape::kMaxRank)
    return Corrupt(fmt::format("expected rank 1 to 4, found {}", rank));
  std::array<int64_t, Shape::kMaxRank> extents{};
  CheckedSize elements(uint64_t{1});
  for (uint32_t i = 0; i < rank; ++i) {
    HW_TRY(const auto extent, cursor.Read<uint64_t>("tensor extent"));
    if (extent == 0) return Corrupt(fmt::format("extent {} is zero", i));
    elements = elements * CheckedSize(extent);
    if (!elements.Value()) return Corrupt("the number of elements overflows 63 bits");
    extents[i] = static_cast<int64_t>(extent);
  }
  Shape shape;
  for (uint32_t i = rank; i > 0; --i) shape.Append(extents[i - 1]);
  return shape;
}

// The bytes of all rows; 0 for types whose block size is unknown.
Result<uint64_t> TensorBytes(uint32_t ggml_type, const Shape& shape) {
  const auto block = BlockSizeOf(ggml_type);
  if (!block) return uint64_t{0};
  if (shape.Columns() % block->elements != 0) {
    return Corrupt(fmt::format("rows of {} elements are not a multiple of the {} block of {}",
                               shape.Columns(), TypeName(ggml_type), block->elements));
  }
  const auto bytes =
      (CheckedSize(shape.Elements() / block->elements) * CheckedSize(block->bytes)).Value();
  if (!bytes) return Corrupt("the number of bytes overflows 63 bits");
  return *bytes;
}

// Everything but the name. offset_bytes is still relative to the data section.
Result<TensorInfo> ReadTensorInfo(Cursor& cursor, std::string_view name) {
  TensorInfo tensor;
  tensor.name = name;
  HW_TRY(tensor.shape, ReadShape(cursor));
  HW_TRY(tensor.ggml_type, cursor.Read<uint32_t>("tensor type"));
  HW_TRY(tensor.offset_bytes, cursor.Read<uint64_t>("tensor offset"));
  tensor.type = DataTypeOf(tensor.ggml_type);
  HW_TRY(tensor.size_bytes, TensorBytes(tensor.ggml_type, tensor.shape));
  return tensor;
}

Result<void> ReadTensors(Cursor& cursor, uint64_t count, Directory& directory) {
  for (uint64_t i = 0; i < count; ++i) {
    HW_TRY(const auto name, cursor.ReadString("tensor name"));
    if (name.empty() || name.size() > kMaxNameBytes) {
      return Corrupt(fmt::format("tensor {}: expected a name of 1 to {} bytes, found {} bytes", i,
                                 kMaxNameBytes, name.size()));
    }
    auto tensor = ReadTensorInfo(cursor, name);
    if (!tensor) return Prefixed(tensor.error(), "tensor " + Quoted(name));
    if (!directory.tensor_index.emplace(name, directory.tensors.size()).second) {
      return Corrupt(fmt::format("tensor {} occurs twice", Quoted(name)));
    }
    directory.tensors.push_back(*tensor);
  }
  return {};
}

// Turns relative offsets into absolute ones, inside the file and aligned.
Result<void> PlaceTensors(Directory& directory, uint64_t file_bytes) {
  for (TensorInfo& tensor : directory.tensors) {
    if (tensor.offset_bytes % directory.alignment_bytes != 0) {
      return Corrupt(fmt::format("tensor {}: offset {} is not a multiple of the alignment {}",
                                 Quoted(tensor.name), tensor.offset_bytes,
                                 directory.alignment_bytes));
    }
    const uint64_t room =
        file_bytes < directory.data_offset_bytes ? 0 : file_bytes - directory.data_offset_bytes;
    // A tensor of an unsupported type counts as empty here; it too must begin inside the file.
    if (directory.data_offset_bytes > file_bytes || tensor.offset_bytes > room ||
        tensor.size_bytes > room - tensor.offset_bytes) {
      return Corrupt(fmt::format(
          "tensor {}: {} bytes at data offset {} lie outside the file ({} bytes of data)",
          Quoted(tensor.name), tensor.size_bytes, tensor.offset_bytes, room));
    }
    tensor.offset_bytes += directory.data_offset_bytes;
  }
  return {};
}

Result<void> CheckOverlap(const std::vector<TensorInfo>& tensors) {
  std::vector<size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return tensors[a].offset_bytes != tensors[b].offset_bytes
               ? tensors[a].offset_bytes < tensors[b].offset_bytes
               : tensors[a].size_bytes < tensors[b].size_bytes;
  });
  for (size_t i = 1; i < order.size(); ++i) {
    const TensorInfo& before = tensors[order[i - 1]];
    const TensorInfo& after = tensors[order[i]];
    if (before.offset_bytes + before.size_bytes > after.offset_bytes) {
      return Corrupt(
          fmt::format("tensors {} and {} overlap", Quoted(before.name), Quoted(after.name)));
    }
  }
  return {};
}

}  // namespace

std::string TensorInfo::TypeName() const { return gguf::TypeName(ggml_type); }

Result<Directory> ParseDirectory(std::span<const std::byte> bytes) {
  HW_TRY_VOID(CheckMagic(bytes));
  Directory directory;
  Cursor cursor(bytes);
  HW_TRY_VOID(cursor.Take(4, "magic"));
  HW_TRY(directory.version, cursor.Read<uint32_t>("version"));
  HW_TRY_VOID(CheckVersion(directory.version));
  HW_TRY(const auto num_tensors, cursor.Read<uint64_t>("tensor count"));
  HW_TRY(const auto num_metadata, cursor.Read<uint64_t>("metadata count"));
  HW_TRY_VOID(CheckCount(num_metadata, cursor, kMinMetadataBytes, "metadata entries"));
  HW_TRY_VOID(CheckCount(num_tensors, cursor, kMinTensorBytes, "tensors"));
  HW_TRY(directory.metadata, ParseMetadata(cursor, num_metadata));
  HW_TRY_VOID(IndexMetadata(directory));
  HW_TRY(directory.alignment_bytes, ReadAlignment(directory));
  HW_TRY_VOID(ReadTensors(cursor, num_tensors, directory));
  const uint64_t mask = directory.alignment_bytes - 1;
  directory.data_offset_bytes = (cursor.Offset() + mask) & ~mask;
  HW_TRY_VOID(PlaceTensors(directory, bytes.size()));
  HW_TRY_VOID(CheckOverlap(directory.tensors));
  return directory;
}

}  // namespace headway::gguf
