#include "gguf_exercise.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "gguf/gguf_file.h"
#include "tensor/codec.h"

namespace headway {
namespace {

using gguf::GgufFile;
using gguf::MetadataEntry;

// Every getter on every key: exactly those that match the type succeed.
void ExerciseMetadata(const GgufFile& file, const MetadataEntry& entry) {
  const gguf::Value& value = entry.value;
  HW_CHECK(file.Find(entry.key) == &value, "keys are unique and found");
  const bool is_array = value.type == gguf::ValueType::kArray;
  HW_CHECK(file.GetString(entry.key).has_value() == (value.type == gguf::ValueType::kString),
           "string");
  HW_CHECK(file.GetBool(entry.key).has_value() == (value.type == gguf::ValueType::kBool), "bool");
  HW_CHECK(!file.GetU32(entry.key) || gguf::IsInteger(value.type), "u32 only from integers");
  HW_CHECK(!(file.GetF32(entry.key) && gguf::IsInteger(value.type)), "f32 never from integers");
  const auto strings = file.GetStringArray(entry.key);
  HW_CHECK(strings.has_value() == (is_array && value.element_type == gguf::ValueType::kString),
           "strings");
  HW_CHECK(!strings || strings->size() == value.count, "every string is there");
  const auto floats = file.GetF32Array(entry.key);
  HW_CHECK(!floats || floats->size() == value.count, "every float is there");
  const auto integers = file.GetI32Array(entry.key);
  HW_CHECK(!integers || integers->size() == value.count, "every integer is there");
  HW_CHECK(!gguf::ToText(value, 5).empty(), "every value prints");
}

void ExerciseTensor(const GgufFile& file, std::span<const std::byte> bytes,
                    const gguf::TensorInfo& info) {
  HW_CHECK(file.FindTensor(info.name) == &info, "names are unique and found");
  HW_CHECK(info.offset_bytes % file.AlignmentBytes() == 0, "tensors are aligned");
  HW_CHECK(info.offset_bytes <= bytes.size() && info.size_bytes <= bytes.size() - info.offset_bytes,
           "tensors lie inside the file");
  const auto tensor = file.GetTensor(info.name);
  HW_CHECK(tensor.has_value() == info.type.has_value(), "supported types have views");
  if (!tensor) return;
  HW_CHECK(static_cast<uint64_t>(tensor->SizeBytes()) == info.size_bytes,
           "a view covers its tensor");
  HW_CHECK(tensor->shape.Elements() > 0, "no empty tensors");
  if (!IsWeightType(tensor->type)) return;
  std::vector<float> row(static_cast<size_t>(tensor->shape.Columns()));
  for (const int64_t r : {int64_t{0}, tensor->shape.Rows() - 1}) {
    DequantiseRow(tensor->type, tensor->Row(r), tensor->shape.Columns(), row.data());
  }
}

void CheckDisjoint(const std::vector<gguf::TensorInfo>& tensors) {
  std::vector<std::pair<uint64_t, uint64_t>> ranges;
  for (const auto& t : tensors) {
    if (t.size_bytes > 0) ranges.emplace_back(t.offset_bytes, t.offset_bytes + t.size_bytes);
  }
  std::sort(ranges.begin(), ranges.end());
  for (size_t i = 1; i < ranges.size(); ++i)
    HW_CHECK(ranges[i - 1].second <= ranges[i].first, "tensors are disjoint");
}

}  // namespace

bool ExerciseGguf(std::span<const std::byte> bytes) {
  const auto file = GgufFile::Parse(bytes, "fuzzed.gguf");
  if (!file) {
    HW_CHECK(file.error().message.starts_with("gguf: fuzzed.gguf: "),
             "every rejection names the file");
    return false;
  }
  for (const MetadataEntry& entry : file->Metadata()) ExerciseMetadata(*file, entry);
  for (const gguf::TensorInfo& info : file->Tensors()) ExerciseTensor(*file, bytes, info);
  CheckDisjoint(file->Tensors());
  return true;
}

}  // namespace headway
