#pragma once

// Writes GGUF version 3 files: metadata and tensor declarations first, then the tensors' bytes
// streamed in declared order with constant memory. The file appears under its name only when it is
// complete. Used by synth, tests, and packages (a file with metadata only). Format:
// docs/formats/gguf.md.
//
//   GgufWriter writer;
//   writer.AddString("general.architecture", "phi3");
//   writer.AddTensor("output_norm.weight", DataType::kF32, Shape{3072});
//   HW_TRY_VOID(writer.Begin("model.gguf"));
//   // Again until the tensor is full.
//   HW_TRY_VOID(writer.WriteTensorBytes("output_norm.weight", bytes));
//   HW_TRY_VOID(writer.Finish());

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/file_writer.h"
#include "base/result.h"
#include "gguf/directory.h"
#include "gguf/value.h"
#include "tensor/data_type.h"
#include "tensor/tensor_view.h"

namespace headway::gguf {

// The value type that stores a T; bool is no T, it has its own functions.
template <class T>
inline constexpr ValueType kValueTypeOf = ValueType::kString;
template <>
inline constexpr ValueType kValueTypeOf<uint8_t> = ValueType::kU8;
template <>
inline constexpr ValueType kValueTypeOf<int8_t> = ValueType::kI8;
template <>
inline constexpr ValueType kValueTypeOf<uint16_t> = ValueType::kU16;
template <>
inline constexpr ValueType kValueTypeOf<int16_t> = ValueType::kI16;
template <>
inline constexpr ValueType kValueTypeOf<uint32_t> = ValueType::kU32;
template <>
inline constexpr ValueType kValueTypeOf<int32_t> = ValueType::kI32;
template <>
inline constexpr ValueType kValueTypeOf<uint64_t> = ValueType::kU64;
template <>
inline constexpr ValueType kValueTypeOf<int64_t> = ValueType::kI64;
template <>
inline constexpr ValueType kValueTypeOf<float> = ValueType::kF32;
template <>
inline constexpr ValueType kValueTypeOf<double> = ValueType::kF64;

class GgufWriter {
 public:
  // An alignment other than the format's default of 32 is recorded as "general.alignment".
  explicit GgufWriter(uint32_t alignment_bytes = kDefaultAlignmentBytes);
  GgufWriter(const GgufWriter&) = delete;
  GgufWriter& operator=(const GgufWriter&) = delete;
  // Removes an unfinished file.
  ~GgufWriter();

  // Metadata, before Begin(). Mistakes (a key twice, an empty key) surface as the error of Begin().
  void AddU8(std::string_view key, uint8_t value) { AddScalar(key, value); }
  void AddI8(std::string_view key, int8_t value) { AddScalar(key, value); }
  void AddU16(std::string_view key, uint16_t value) { AddScalar(key, value); }
  void AddI16(std::string_view key, int16_t value) { AddScalar(key, value); }
  void AddU32(std::string_view key, uint32_t value) { AddScalar(key, value); }
  void AddI32(std::string_view key, int32_t value) { AddScalar(key, value); }
  void AddU64(std::string_view key, uint64_t value) { AddScalar(key, value); }
  void AddI64(std::string_view key, int64_t value) { AddScalar(key, value); }
  void AddF32(std::string_view key, float value) { AddScalar(key, value); }
  void AddF64(std::string_view key, double value) { AddScalar(key, value); }
  void AddBool(std::string_view key, bool value);
  void AddString(std::string_view key, std::string_view value);
  void AddStringArray(std::string_view key, std::span<const std::string_view> values);
  void AddStringArray(std::string_view key, std::span<const std::string> values);
  template <class T>
  void AddArray(std::string_view key, std::span<const T> values) {
    static_assert(kValueTypeOf<T> != ValueType::kString, "an integer or floating-point type");
    AddArrayBytes(key, kValueTypeOf<T>, values.size(), std::as_bytes(values));
  }
  // An entry of another file, bit for bit.
  void AddCopy(const MetadataEntry& entry);

  // Declares the next tensor. Mistakes (a name twice or too long, a row that is not a whole number
  // of blocks) surface as the error of Begin().
  void AddTensor(std::string_view name, DataType type, const Shape& shape);

  // Everything before the tensor data, padding included. Errors: kInvalidInput, the first mistake
  // made above.
  Result<std::vector<std::byte>> HeaderBytes() const;

  // Creates a temporary file beside `path` and writes HeaderBytes(). Errors: kInvalidInput, kIo.
  Result<void> Begin(const std::string& path);

  // Appends to tensor `name`, which must be the first one not yet full; pieces of any size. Errors:
  // kIo.
  Result<void> WriteTensorBytes(std::string_view name, std::span<const std::byte> bytes);

  // Syncs the file and renames it to its path. Every tensor must be full. Errors: kIo.
  Result<void> Finish();

  // Of the file as it is written; valid after Begin().
  uint64_t SizeBytes() const { return file_ ? file_->SizeBytes() : 0; }
  // Of all declared tensors without padding: what WriteTensorBytes will be given in total.
  uint64_t TensorBytes() const;

 private:
  struct DeclaredTensor {
    std::string name;
    DataType type;
    Shape shape;
    uint64_t size_bytes;
  };

  template <class T>
  void AddScalar(std::string_view key, T value) {
    BeginEntry(key, kValueTypeOf<T>);
    Put(value);
  }
  template <class T>
  void Put(T value) {
    PutBytes(std::as_bytes(std::span<const T>(&value, 1)));
  }
  void PutBytes(std::span<const std::byte> bytes);
  void PutString(std::string_view text);
  void BeginEntry(std::string_view key, ValueType type);
  void AddArrayBytes(std::string_view key, ValueType element_type, uint64_t count,
                     std::span<const std::byte> bytes);
  void Complain(std::string message);

  uint32_t alignment_bytes_;
  std::string metadata_;  // as stored
  uint64_t num_metadata_ = 0;
  std::vector<DeclaredTensor> tensors_;
  std::unordered_set<std::string> keys_;
  std::unordered_set<std::string> names_;
  std::string first_mistake_;

  std::string path_;
  std::string partial_path_;  // empty before Begin() and after Finish()
  std::optional<FileWriter> file_;
  size_t tensor_index_ = 0;     // being filled
  uint64_t tensor_filled_ = 0;  // bytes of it written
};

}  // namespace headway::gguf
