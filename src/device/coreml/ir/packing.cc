#include "device/coreml/ir/packing.h"

#include "base/check.h"
#include "device/coreml/ir/type.h"

namespace headway::mil {

std::vector<std::byte> PackBits(DType dtype, std::span<const uint8_t> values) {
  const auto bits = static_cast<unsigned>(Traits(dtype).bits);
  HW_CHECK(bits >= 1 && bits <= 8, "integer type of at most 8 bits");
  const unsigned mask = (1U << bits) - 1U;
  std::vector<std::byte> packed(
      static_cast<size_t>(PackedBytes(dtype, static_cast<int64_t>(values.size()))));
  uint32_t pending = 0;  // bits not written yet, at most 7 + 8 of them
  unsigned num_pending = 0;
  size_t next = 0;
  for (const uint8_t value : values) {
    pending |= (value & mask) << num_pending;
    num_pending += bits;
    while (num_pending >= 8) {
      packed[next++] = static_cast<std::byte>(pending & 0xffU);
      pending >>= 8;
      num_pending -= 8;
    }
  }
  if (num_pending > 0) packed[next] = static_cast<std::byte>(pending);
  return packed;
}

int32_t UnpackElement(DType dtype, std::span<const std::byte> packed, int64_t index) {
  const auto bits = static_cast<unsigned>(Traits(dtype).bits);
  const uint64_t first_bit = static_cast<uint64_t>(index) * bits;
  const size_t byte = static_cast<size_t>(first_bit / 8);
  uint32_t window = static_cast<uint32_t>(packed[byte]);
  if (byte + 1 < packed.size()) window |= static_cast<uint32_t>(packed[byte + 1]) << 8;
  const uint32_t value = (window >> (first_bit % 8)) & ((1U << bits) - 1U);
  if (Traits(dtype).type_class == DTypeClass::kSigned && (value >> (bits - 1)) != 0) {
    return static_cast<int32_t>(value) - (1 << bits);
  }
  return static_cast<int32_t>(value);
}

void UnpackBits(DType dtype, std::span<const std::byte> packed, int64_t first,
                std::span<int32_t> out) {
  for (size_t i = 0; i < out.size(); ++i) {
    out[i] = UnpackElement(dtype, packed, first + static_cast<int64_t>(i));
  }
}

}  // namespace headway::mil
