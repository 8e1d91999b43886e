#pragma once

// A bounds-checked reader over untrusted little-endian bytes. Every read either yields a value or
// says which thing was cut off where; nothing here allocates in proportion to a number found in the
// file.

#include <fmt/format.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "base/result.h"

namespace headway::gguf {

static_assert(std::endian::native == std::endian::little, "GGUF is read in place");

// A T from bytes of any alignment.
template <class T>
T LoadAs(const std::byte* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(T));
  return value;
}

class Cursor {
 public:
  explicit Cursor(std::span<const std::byte> bytes) : bytes_(bytes) {}

  std::span<const std::byte> Whole() const { return bytes_; }
  uint64_t Offset() const { return offset_; }
  uint64_t RemainingBytes() const { return bytes_.size() - offset_; }

  // Errors: kCorrupt when fewer than sizeof(T) bytes are left. `what` names the field in the
  // message.
  template <class T>
  Result<T> Read(const char* what) {
    HW_TRY(const auto bytes, Take(sizeof(T), what));
    return LoadAs<T>(bytes.data());
  }

  // A 64-bit length and that many characters. The view lives as long as the bytes.
  Result<std::string_view> ReadString(const char* what) {
    HW_TRY(const uint64_t num_bytes, Read<uint64_t>(what));
    HW_TRY(const auto bytes, Take(num_bytes, what));
    return std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }

  // The next `num_bytes` bytes.
  Result<std::span<const std::byte>> Take(uint64_t num_bytes, const char* what) {
    if (num_bytes > RemainingBytes()) {
      return Fail(ErrorCode::kCorrupt,
                  fmt::format("truncated: {} needs {} bytes at offset {}, but the file ends at {}",
                              what, num_bytes, offset_, bytes_.size()));
    }
    const auto taken = bytes_.subspan(offset_, num_bytes);
    offset_ += num_bytes;
    return taken;
  }

 private:
  std::span<const std::byte> bytes_;
  uint64_t offset_ = 0;
};

}  // namespace headway::gguf
