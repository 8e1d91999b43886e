#include "lmhead/split_state.h"

#include <algorithm>
#include <cstddef>

namespace headway::lmhead {
namespace {

float DotF32(const float* a, const float* b, size_t n) {
  constexpr size_t kLanes = 16;
  float sums[kLanes] = {};
  size_t c = 0;
  for (; c + kLanes <= n; c += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) sums[lane] += a[c + lane] * b[c + lane];
  }
  for (; c < n; ++c) sums[c % kLanes] += a[c] * b[c];
  for (size_t half = kLanes / 2; half > 0; half /= 2) {
    for (size_t lane = 0; lane < half; ++lane) sums[lane] += sums[lane + half];
  }
  return sums[0];
}

}  // namespace

void SplitState(const Planes& planes, std::span<const float> hidden, std::span<float> shares,
                std::span<float> rest) {
  for (size_t d = 0; d < shares.size(); ++d) {
    shares[d] = DotF32(planes.Direction(static_cast<int64_t>(d)), hidden.data(), hidden.size());
  }
  std::copy(hidden.begin(), hidden.end(), rest.begin());
  for (size_t d = 0; d < shares.size(); ++d) {
    const float* direction = planes.Direction(static_cast<int64_t>(d));
    const float share = shares[d];
    for (size_t c = 0; c < rest.size(); ++c) rest[c] -= share * direction[c];
  }
}

}  // namespace headway::lmhead
