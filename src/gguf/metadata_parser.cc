#include "gguf/metadata_parser.h"

#include <fmt/format.h>

#include <algorithm>

#include "gguf/directory.h"

namespace headway::gguf {
namespace {

Result<ValueType> ReadValueType(Cursor& cursor) {
  HW_TRY(const auto number, cursor.Read<uint32_t>("value type"));
  if (number >= kNumValueTypes) {
    return Fail(ErrorCode::kCorrupt,
                fmt::format("unknown value type {} (expected 0..{})", number, kNumValueTypes - 1));
  }
  return static_cast<ValueType>(number);
}

Result<void> CheckBools(std::span<const std::byte> bytes) {
  const auto bad =
      std::find_if(bytes.begin(), bytes.end(), [](std::byte b) { return b > std::byte{1}; });
  if (bad == bytes.end()) return {};
  return Fail(ErrorCode::kCorrupt,
              fmt::format("expected a bool of 0 or 1, found {}", static_cast<int>(*bad)));
}

Result<void> SkipArray(Cursor& cursor, Value& array, int depth);

// Moves past the elements of an array whose type and count are known.
Result<void> SkipElements(Cursor& cursor, const Value& array, int depth) {
  if (array.element_type == ValueType::kString) {
    // Every string takes at least its length; a count beyond that fails before the loop starts.
    if (array.count > cursor.RemainingBytes() / 8) {
      return Fail(ErrorCode::kCorrupt,
                  fmt::format("truncated: an array of {} strings, but {} bytes are left",
                              array.count, cursor.RemainingBytes()));
    }
    for (uint64_t i = 0; i < array.count; ++i) HW_TRY_VOID(cursor.ReadString("string in an array"));
    return {};
  }
  if (array.element_type == ValueType::kArray) {
    // As above: an array takes at least its type and count.
    if (array.count > cursor.RemainingBytes() / 12) {
      return Fail(ErrorCode::kCorrupt,
                  fmt::format("truncated: an array of {} arrays, but {} bytes are left",
                              array.count, cursor.RemainingBytes()));
    }
    for (uint64_t i = 0; i < array.count; ++i) {
      Value inner;
      HW_TRY_VOID(SkipArray(cursor, inner, depth + 1));
    }
    return {};
  }
  const uint64_t element_bytes = SizeBytes(array.element_type);
  if (array.count > cursor.RemainingBytes() / element_bytes) {
    return Fail(ErrorCode::kCorrupt,
                fmt::format("truncated: an array of {} {} values, but {} bytes are left",
                            array.count, Name(array.element_type), cursor.RemainingBytes()));
  }
  HW_TRY(const auto bytes, cursor.Take(array.count * element_bytes, "array"));
  return array.element_type == ValueType::kBool ? CheckBools(bytes) : Result<void>();
}

Result<void> SkipArray(Cursor& cursor, Value& array, int depth) {
  if (depth > kMaxArrayDepth) {
    return Fail(ErrorCode::kCorrupt,
                fmt::format("arrays nested more than {} deep", kMaxArrayDepth));
  }
  array.type = ValueType::kArray;
  HW_TRY(array.element_type, ReadValueType(cursor));
  HW_TRY(array.count, cursor.Read<uint64_t>("array count"));
  return SkipElements(cursor, array, depth);
}

Result<Value> ReadValue(Cursor& cursor) {
  Value value;
  HW_TRY(value.type, ReadValueType(cursor));
  if (value.type == ValueType::kString) {
    HW_TRY(const auto text, cursor.ReadString("string value"));
    value.bytes = std::as_bytes(std::span<const char>(text.data(), text.size()));
    return value;
  }
  if (value.type == ValueType::kArray) {
    constexpr uint64_t kArrayHeaderBytes = 12;
    const uint64_t begin = cursor.Offset() + kArrayHeaderBytes;
    HW_TRY_VOID(SkipArray(cursor, value, 1));
    value.bytes = cursor.Whole().subspan(begin, cursor.Offset() - begin);
    return value;
  }
  HW_TRY(value.bytes, cursor.Take(SizeBytes(value.type), "value"));
  if (value.type == ValueType::kBool) HW_TRY_VOID(CheckBools(value.bytes));
  return value;
}

}  // namespace

Result<std::vector<MetadataEntry>> ParseMetadata(Cursor& cursor, uint64_t count) {
  std::vector<MetadataEntry> entries;  // not reserved: `count` is the file's claim
  for (uint64_t i = 0; i < count; ++i) {
    MetadataEntry entry;
    HW_TRY(entry.key, cursor.ReadString("metadata key"));
    if (entry.key.empty())
      return Fail(ErrorCode::kCorrupt, fmt::format("metadata entry {}: empty key", i));
    auto value = ReadValue(cursor);
    if (!value) return Prefixed(value.error(), "key " + Quoted(entry.key));
    entry.value = *value;
    entries.push_back(entry);
  }
  return entries;
}

}  // namespace headway::gguf
