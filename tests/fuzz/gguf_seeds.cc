#include <array>
#include <span>
#include <string>
#include <string_view>

#include "base/check.h"
#include "gguf/gguf_writer.h"
#include "gguf_exercise.h"
#include "tensor/data_type.h"

namespace headway {
namespace {

std::vector<std::byte> EveryValueType() {
  gguf::GgufWriter writer;
  writer.AddU8("a", 1);
  writer.AddI8("b", -1);
  writer.AddU16("c", 2);
  writer.AddI16("d", -2);
  writer.AddU32("e", 3);
  writer.AddI32("f", -3);
  writer.AddU64("g", 4);
  writer.AddI64("h", -4);
  writer.AddF32("i", 0.5F);
  writer.AddF64("j", 0.25);
  writer.AddBool("k", true);
  writer.AddString("l", "text");
  writer.AddStringArray(
      "m", std::span<const std::string_view>(std::array<std::string_view, 3>{"x", "", "yz"}));
  writer.AddArray("n", std::span<const float>(std::array<float, 2>{1, 2}));
  writer.AddArray("o", std::span<const int64_t>(std::array<int64_t, 2>{1, -2}));
  return writer.HeaderBytes().value();
}

// An array of two arrays: u8 [7] and no strings.
std::vector<std::byte> NestedArrays() {
  const std::string elements("\0\0\0\0\1\0\0\0\0\0\0\0\7\10\0\0\0\0\0\0\0\0\0\0\0", 25);
  gguf::MetadataEntry entry;
  entry.key = "nested";
  entry.value = {.type = gguf::ValueType::kArray,
                 .element_type = gguf::ValueType::kArray,
                 .count = 2,
                 .bytes = std::as_bytes(std::span<const char>(elements))};
  gguf::GgufWriter writer;
  writer.AddCopy(entry);
  return writer.HeaderBytes().value();
}

// One tensor of every type with bytes that count up.
std::vector<std::byte> EveryTensorType(uint32_t alignment_bytes) {
  gguf::GgufWriter writer(alignment_bytes);
  writer.AddString("general.architecture", "phi3");
  uint64_t data_bytes = 0;
  for (int i = 0; i < kNumDataTypes; ++i) {
    const auto type = static_cast<DataType>(i);
    const Shape shape{2, Traits(type).block_elements};
    writer.AddTensor("blk." + std::to_string(i) + ".weight", type, shape);
    const auto size = static_cast<uint64_t>(2 * Traits(type).block_bytes);
    data_bytes += (size + alignment_bytes - 1) / alignment_bytes * alignment_bytes;
  }
  std::vector<std::byte> bytes = writer.HeaderBytes().value();
  for (uint64_t i = 0; i < data_bytes; ++i) bytes.push_back(static_cast<std::byte>(i * 37));
  return bytes;
}

}  // namespace

std::vector<std::vector<std::byte>> GgufSeeds() {
  std::vector<std::vector<std::byte>> seeds = {EveryValueType(), NestedArrays(),
                                               EveryTensorType(32), EveryTensorType(8)};
  for (const auto& seed : seeds) HW_CHECK(ExerciseGguf(seed), "seeds are valid files");
  return seeds;
}

}  // namespace headway
