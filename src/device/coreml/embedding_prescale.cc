#include "device/coreml/embedding_prescale.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "tensor/codec.h"

namespace headway::coreml {

float EmbeddingPrescale(const ConstTensorView& table) {
  constexpr float kMost = 16;
  // 64 stretches of 128 rows, 27 MB at 3072 channels in Q8_0: the whole table would take a second
  // and 0.6 GB of mapped pages.
  constexpr int64_t kStretches = 64;
  constexpr int64_t kStretch = 128;
  // Beyond these a constant of fp16 is inexact or infinite.
  constexpr float kLeastScale = 0x1p-14F;
  constexpr float kMostScale = 0x1p15F;
  const int64_t D = table.shape.Columns();
  std::vector<float> row(static_cast<size_t>(D));
  std::vector<float> sizes;
  float largest = 0;
  const int64_t rows = table.shape.Rows();
  const int64_t step = std::max(kStretch, rows / kStretches);
  for (int64_t i = 0; i < rows; ++i) {
    if (i % step >= kStretch) continue;
    DequantiseRow(table.type, table.Row(i), D, row.data());
    float sum = 0;
    for (const float value : row) {
      sum += value * value;
      largest = std::max(largest, std::abs(value));
    }
    if (std::isfinite(sum) && sum > 0) sizes.push_back(sum / static_cast<float>(D));
  }
  if (sizes.empty() || !std::isfinite(largest)) return 1;
  const auto middle = sizes.begin() + static_cast<std::ptrdiff_t>(sizes.size() / 2);
  std::nth_element(sizes.begin(), middle, sizes.end());
  const float scale = std::min(1 / std::sqrt(*middle), kMost / largest);
  return std::clamp(std::exp2(std::floor(std::log2(scale))), kLeastScale, kMostScale);
}

}  // namespace headway::coreml
