#pragma once

// One metadata value of a GGUF file, as a view into the file: nothing is copied, so a vocabulary of
// 200,000 tokens costs nothing until somebody asks for it. Used through GgufFile's typed getters,
// and directly by `inspect` and by whoever copies metadata from file to file.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/quoted.h"  // IWYU pragma: export
#include "base/result.h"

namespace headway::gguf {

// The numbers are the file's. Source: GGUF specification, gguf_metadata_value_type.
enum class ValueType : uint32_t {
  kU8 = 0,
  kI8 = 1,
  kU16 = 2,
  kI16 = 3,
  kU32 = 4,
  kI32 = 5,
  kF32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kU64 = 10,
  kI64 = 11,
  kF64 = 12,
};

inline constexpr uint32_t kNumValueTypes = 13;

// "u32", "string", "array".
std::string_view Name(ValueType type);

// The stored bytes of a fixed-size type (bool is one byte); 0 for strings and arrays.
size_t SizeBytes(ValueType type);

// True for the eight signed and unsigned integer types; bool is none.
bool IsInteger(ValueType type);

// Valid while the file's bytes live.
struct Value {
  ValueType type = ValueType::kU8;
  ValueType element_type = ValueType::kU8;  // of an array
  uint64_t count = 1;                       // elements of an array
  // A scalar's bytes, a string's characters, or an array's elements as stored: scalars packed, each
  // string behind its 64-bit length. No alignment.
  std::span<const std::byte> bytes;

  // The scalar, or element `index` of an array of scalars. Integers that do not fit in 64 signed
  // bits, and other types, give nullopt; bool counts as none of the two.
  std::optional<int64_t> IntegerAt(uint64_t index) const;
  std::optional<double> FloatAt(uint64_t index) const;
  // The characters of a string.
  std::string_view Text() const {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  // "u32", "array of 200064 string": for messages.
  std::string TypeText() const;
};

struct MetadataEntry {
  std::string_view key;
  Value value;
};

// The value on one line for people: strings quoted with control characters escaped, at most
// `max_elements` elements of an array.
std::string ToText(const Value& value, uint64_t max_elements);

using headway::Quoted;

}  // namespace headway::gguf
