#pragma once

// Hand-assembled GGUF bytes for tests: every field can be written wrong. Deliberately not the
// GgufWriter, so that reader and writer are tested against the specification and not against each
// other.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gguf/value.h"

namespace headway::gguf {

class TestBytes {
 public:
  template <class T>
  TestBytes& Put(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof(T));
    return *this;
  }
  TestBytes& Raw(std::string_view text) {
    bytes_ += text;
    return *this;
  }
  TestBytes& String(std::string_view text) { return Put<uint64_t>(text.size()).Raw(text); }
  TestBytes& Header(uint32_t version, uint64_t num_tensors, uint64_t num_metadata) {
    return Raw("GGUF").Put(version).Put(num_tensors).Put(num_metadata);
  }
  TestBytes& Key(std::string_view key, ValueType type) {
    return String(key).Put(static_cast<uint32_t>(type));
  }
  TestBytes& ArrayHeader(ValueType element_type, uint64_t count) {
    return Put(static_cast<uint32_t>(element_type)).Put(count);
  }
  // `extents` innermost first, as in the file.
  TestBytes& Tensor(std::string_view name, const std::vector<uint64_t>& extents, uint32_t ggml_type,
                    uint64_t offset) {
    String(name).Put(static_cast<uint32_t>(extents.size()));
    for (const uint64_t extent : extents) Put(extent);
    return Put(ggml_type).Put(offset);
  }
  TestBytes& PadTo(size_t alignment) {
    while (bytes_.size() % alignment != 0) Put(uint8_t{0});
    return *this;
  }
  TestBytes& Zeros(size_t count) {
    bytes_.resize(bytes_.size() + count);
    return *this;
  }
  std::span<const std::byte> Bytes() const { return std::as_bytes(std::span<const char>(bytes_)); }

 private:
  std::string bytes_;
};

}  // namespace headway::gguf
