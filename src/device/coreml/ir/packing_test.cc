#include "device/coreml/ir/packing.h"

#include <gtest/gtest.h>

#include "device/coreml/ir/type.h"

namespace headway::mil {
namespace {

std::vector<std::byte> Bytes(std::initializer_list<int> values) {
  std::vector<std::byte> bytes;
  for (const int value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

std::vector<uint8_t> Values(std::initializer_list<int> values) {
  std::vector<uint8_t> result;
  for (const int value : values) result.push_back(static_cast<uint8_t>(value));
  return result;
}

struct Vector {
  DType dtype;
  std::vector<uint8_t> values;
  std::vector<std::byte> packed;
};

// Byte vectors verified against Apple's writer (docs/formats/coreml_package.md, "sub-byte
// packing").
std::vector<Vector> VerifiedVectors() {
  return {{DType::kI4, Values({1, -2, 3, -8, 7}), Bytes({0xe1, 0x83, 0x07})},
          {DType::kU3, Values({1, 2, 3, 4, 5, 6, 7}), Bytes({0xd1, 0x58, 0x1f})},
          {DType::kU6, Values({1, 63, 2, 62, 5}), Bytes({0xc1, 0x2f, 0xf8, 0x05})},
          {DType::kU1, Values({1, 0, 1, 1, 0, 0, 0, 0, 1}), Bytes({0x0d, 0x01})}};
}

TEST(Packing, PackBits_VerifiedVectors_SameBytes) {
  for (const Vector& vector : VerifiedVectors()) {
    EXPECT_EQ(PackBits(vector.dtype, vector.values), vector.packed) << NameOf(vector.dtype);
  }
}

TEST(Packing, UnpackBits_VerifiedVectors_SameValues) {
  for (const Vector& vector : VerifiedVectors()) {
    std::vector<int32_t> values(vector.values.size());
    UnpackBits(vector.dtype, vector.packed, 0, values);
    for (size_t i = 0; i < values.size(); ++i) {
      EXPECT_EQ(static_cast<uint8_t>(values[i]), vector.values[i])
          << NameOf(vector.dtype) << " element " << i;
    }
  }
}

TEST(Packing, RoundTrip_EveryTypeAndLength) {
  for (const DType dtype : {DType::kU1, DType::kU2, DType::kU3, DType::kU4, DType::kU6, DType::kU8,
                            DType::kI4, DType::kI8}) {
    for (size_t count = 0; count < 20; ++count) {
      std::vector<uint8_t> values(count);
      const unsigned mask = (1U << static_cast<unsigned>(Traits(dtype).bits)) - 1U;
      for (size_t i = 0; i < count; ++i) values[i] = static_cast<uint8_t>((i * 37 + 11) & mask);
      const std::vector<std::byte> packed = PackBits(dtype, values);
      EXPECT_EQ(static_cast<int64_t>(packed.size()),
                PackedBytes(dtype, static_cast<int64_t>(count)));
      for (size_t i = 0; i < count; ++i) {
        const int32_t value = UnpackElement(dtype, packed, static_cast<int64_t>(i));
        EXPECT_EQ(static_cast<unsigned>(value) & mask, values[i]);
      }
    }
  }
}

TEST(Packing, UnpackElement_Int4_SignExtends) {
  EXPECT_EQ(UnpackElement(DType::kI4, Bytes({0xe1}), 0), 1);
  EXPECT_EQ(UnpackElement(DType::kI4, Bytes({0xe1}), 1), -2);
}

}  // namespace
}  // namespace headway::mil
