#include <fmt/format.h>

#include <cstdint>
#include <limits>

#include "gguf/cursor.h"
#include "gguf/gguf_file.h"

// The typed getters of GgufFile.

namespace headway::gguf {

tl::unexpected<Error> GgufFile::KeyError(ErrorCode code, std::string_view key,
                                         std::string_view problem) const {
  return Fail(code, fmt::format("gguf: {}: key {}: {}", Path(), Quoted(key), problem));
}

tl::unexpected<Error> GgufFile::WrongType(std::string_view key, std::string_view expected,
                                          const Value& found) const {
  return KeyError(ErrorCode::kInvalidInput, key,
                  fmt::format("expected {}, found {}", expected, found.TypeText()));
}

Result<const Value*> GgufFile::Require(std::string_view key, std::string_view expected) const {
  const Value* value = Find(key);
  if (value == nullptr)
    return KeyError(ErrorCode::kNotFound, key, fmt::format("missing (expected {})", expected));
  return value;
}

Result<const Value*> GgufFile::RequireArray(std::string_view key, std::string_view expected) const {
  HW_TRY(const Value* value, Require(key, expected));
  if (value->type != ValueType::kArray) return WrongType(key, expected, *value);
  return value;
}

Result<uint32_t> GgufFile::GetU32(std::string_view key) const {
  HW_TRY(const Value* value, Require(key, "u32"));
  if (!IsInteger(value->type)) return WrongType(key, "u32", *value);
  const auto number = value->IntegerAt(0);
  if (!number || *number < 0 || *number > std::numeric_limits<uint32_t>::max()) {
    return KeyError(
        ErrorCode::kInvalidInput, key,
        fmt::format("expected an integer from 0 to 4294967295, found {}", ToText(*value, 1)));
  }
  return static_cast<uint32_t>(*number);
}

Result<float> GgufFile::GetF32(std::string_view key) const {
  HW_TRY(const Value* value, Require(key, "f32"));
  if (value->type != ValueType::kF32 && value->type != ValueType::kF64)
    return WrongType(key, "f32", *value);
  return static_cast<float>(*value->FloatAt(0));
}

Result<bool> GgufFile::GetBool(std::string_view key) const {
  HW_TRY(const Value* value, Require(key, "bool"));
  if (value->type != ValueType::kBool) return WrongType(key, "bool", *value);
  return value->bytes[0] != std::byte{0};
}

Result<std::string_view> GgufFile::GetString(std::string_view key) const {
  HW_TRY(const Value* value, Require(key, "string"));
  if (value->type != ValueType::kString) return WrongType(key, "string", *value);
  return value->Text();
}

Result<std::vector<std::string_view>> GgufFile::GetStringArray(std::string_view key) const {
  HW_TRY(const Value* value, RequireArray(key, "array of string"));
  if (value->element_type != ValueType::kString) return WrongType(key, "array of string", *value);
  std::vector<std::string_view> strings;
  strings.reserve(value->count);  // checked against the file's bytes when it was opened
  Cursor cursor(value->bytes);
  for (uint64_t i = 0; i < value->count; ++i) {
    HW_TRY(const auto text, cursor.ReadString("string in an array"));
    strings.push_back(text);
  }
  return strings;
}

Result<std::vector<float>> GgufFile::GetF32Array(std::string_view key) const {
  HW_TRY(const Value* value, RequireArray(key, "array of f32"));
  if (value->element_type != ValueType::kF32 && value->element_type != ValueType::kF64) {
    return WrongType(key, "array of f32", *value);
  }
  std::vector<float> numbers(value->count);
  for (uint64_t i = 0; i < value->count; ++i) numbers[i] = static_cast<float>(*value->FloatAt(i));
  return numbers;
}

Result<std::vector<int32_t>> GgufFile::GetI32Array(std::string_view key) const {
  HW_TRY(const Value* value, RequireArray(key, "array of i32"));
  if (!IsInteger(value->element_type)) return WrongType(key, "array of i32", *value);
  std::vector<int32_t> numbers(value->count);
  for (uint64_t i = 0; i < value->count; ++i) {
    const auto number = value->IntegerAt(i);
    if (!number || *number < std::numeric_limits<int32_t>::min() ||
        *number > std::numeric_limits<int32_t>::max()) {
      return KeyError(ErrorCode::kInvalidInput, key,
                      fmt::format("element {} does not fit in 32 bits", i));
    }
    numbers[i] = static_cast<int32_t>(*number);
  }
  return numbers;
}

Result<uint32_t> GgufFile::GetU32Or(std::string_view key, uint32_t fallback) const {
  return Find(key) == nullptr ? Result<uint32_t>(fallback) : GetU32(key);
}

Result<float> GgufFile::GetF32Or(std::string_view key, float fallback) const {
  return Find(key) == nullptr ? Result<float>(fallback) : GetF32(key);
}

Result<bool> GgufFile::GetBoolOr(std::string_view key, bool fallback) const {
  return Find(key) == nullptr ? Result<bool>(fallback) : GetBool(key);
}

Result<std::string_view> GgufFile::GetStringOr(std::string_view key,
                                               std::string_view fallback) const {
  return Find(key) == nullptr ? Result<std::string_view>(fallback) : GetString(key);
}

Result<std::vector<std::string_view>> GgufFile::GetStringArrayOr(std::string_view key) const {
  return Find(key) == nullptr ? Result<std::vector<std::string_view>>() : GetStringArray(key);
}

Result<std::vector<float>> GgufFile::GetF32ArrayOr(std::string_view key) const {
  return Find(key) == nullptr ? Result<std::vector<float>>() : GetF32Array(key);
}

Result<std::vector<int32_t>> GgufFile::GetI32ArrayOr(std::string_view key) const {
  return Find(key) == nullptr ? Result<std::vector<int32_t>>() : GetI32Array(key);
}

}  // namespace headway::gguf
