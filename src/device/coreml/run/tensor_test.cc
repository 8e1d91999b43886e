#include "device/coreml/run/tensor.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "tensor/half.h"

namespace headway::mil {
namespace {

TEST(RoundToHalf, EveryBitPattern_MatchesTheScalarConversion) {
  std::vector<float> values;
  for (uint32_t i = 0; i < 0x10000; ++i) {
    // Patterns all over binary32, every fp16 value, and the ties between neighbours.
    const float half = ToFloat(F16{static_cast<uint16_t>(i)});
    for (const float v : {std::bit_cast<float>(i * 65537U + 12345U), half,
                          std::bit_cast<float>(std::bit_cast<uint32_t>(half) + 0x1000U)}) {
      if (!std::isnan(v)) values.push_back(v);
    }
  }
  std::vector<float> rounded = values;
  RoundToHalf(rounded);
  for (size_t i = 0; i < values.size(); ++i) {
    EXPECT_EQ(std::bit_cast<uint32_t>(rounded[i]),
              std::bit_cast<uint32_t>(ToFloat(ToF16(values[i]))))
        << values[i];
  }
  std::vector<float> nan = {NAN};
  RoundToHalf(nan);
  EXPECT_TRUE(std::isnan(nan[0]));
}

}  // namespace
}  // namespace headway::mil
