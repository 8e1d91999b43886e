#include "gguf/value.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "gguf/cursor.h"

namespace headway::gguf {
namespace {

struct ValueTypeTraits {
  std::string_view name;
  size_t size_bytes;
};

constexpr std::array<ValueTypeTraits, kNumValueTypes> kValueTypes = {{
    {"u8", 1},
    {"i8", 1},
    {"u16", 2},
    {"i16", 2},
    {"u32", 4},
    {"i32", 4},
    {"f32", 4},
    {"bool", 1},
    {"string", 0},
    {"array", 0},
    {"u64", 8},
    {"i64", 8},
    {"f64", 8},
}};

// Type of the elements: a scalar is its own only element.
ValueType ElementType(const Value& value) {
  return value.type == ValueType::kArray ? value.element_type : value.type;
}

std::string ScalarText(const Value& value, uint64_t index) {
  const ValueType type = ElementType(value);
  if (type == ValueType::kBool) return value.bytes[index] == std::byte{0} ? "false" : "true";
  if (const auto number = value.FloatAt(index)) return fmt::format("{}", *number);
  if (const auto number = value.IntegerAt(index)) return fmt::format("{}", *number);
  return fmt::format("{}", LoadAs<uint64_t>(value.bytes.data() + 8 * index));  // above 2^63
}

}  // namespace

std::string_view Name(ValueType type) { return kValueTypes[static_cast<size_t>(type)].name; }

size_t SizeBytes(ValueType type) { return kValueTypes[static_cast<size_t>(type)].size_bytes; }

bool IsInteger(ValueType type) {
  switch (type) {
    case ValueType::kU8:
    case ValueType::kI8:
    case ValueType::kU16:
    case ValueType::kI16:
    case ValueType::kU32:
    case ValueType::kI32:
    case ValueType::kU64:
    case ValueType::kI64:
      return true;
    case ValueType::kF32:
    case ValueType::kF64:
    case ValueType::kBool:
    case ValueType::kString:
    case ValueType::kArray:
      return false;
  }
  return false;
}

std::optional<int64_t> Value::IntegerAt(uint64_t index) const {
  const ValueType element = ElementType(*this);
  if (!IsInteger(element) || index >= count) return std::nullopt;
  const std::byte* at = bytes.data() + index * SizeBytes(element);
  switch (element) {
    case ValueType::kU8:
      return LoadAs<uint8_t>(at);
    case ValueType::kI8:
      return LoadAs<int8_t>(at);
    case ValueType::kU16:
      return LoadAs<uint16_t>(at);
    case ValueType::kI16:
      return LoadAs<int16_t>(at);
    case ValueType::kU32:
      return LoadAs<uint32_t>(at);
    case ValueType::kI32:
      return LoadAs<int32_t>(at);
    case ValueType::kU64: {
      const auto number = LoadAs<uint64_t>(at);
      if (number > static_cast<uint64_t>(INT64_MAX)) return std::nullopt;
      return static_cast<int64_t>(number);
    }
    case ValueType::kI64:
      return LoadAs<int64_t>(at);
    case ValueType::kF32:
    case ValueType::kF64:
    case ValueType::kBool:
    case ValueType::kString:
    case ValueType::kArray:
      break;
  }
  return std::nullopt;
}

std::optional<double> Value::FloatAt(uint64_t index) const {
  const ValueType element = ElementType(*this);
  if (index >= count) return std::nullopt;
  const std::byte* at = bytes.data() + index * SizeBytes(element);
  if (element == ValueType::kF32) return static_cast<double>(LoadAs<float>(at));
  if (element == ValueType::kF64) return LoadAs<double>(at);
  return std::nullopt;
}

std::string Value::TypeText() const {
  if (type != ValueType::kArray) return std::string(Name(type));
  return fmt::format("array of {} {}", count, Name(element_type));
}

std::string ToText(const Value& value, uint64_t max_elements) {
  if (value.type == ValueType::kString) return Quoted(value.Text());
  if (value.type != ValueType::kArray) return ScalarText(value, 0);
  std::string text = value.TypeText();
  if (value.element_type == ValueType::kArray) return text;
  text += ": [";
  const uint64_t shown = std::min(value.count, max_elements);
  Cursor cursor(value.bytes);
  for (uint64_t i = 0; i < shown; ++i) {
    if (i > 0) text += ", ";
    if (value.element_type == ValueType::kString) {
      const auto element = cursor.ReadString("element");
      text += element ? Quoted(*element) : "?";
    } else {
      text += ScalarText(value, i);
    }
  }
  return text + (shown < value.count ? ", …]" : "]");
}

}  // namespace headway::gguf
